"""The page of a job: who sees it, what it says in each state, and what its buttons do."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Role
from jobs import lifecycle, processes
from jobs.models import Attempt, Job
from tests.factories import make_user

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def researcher(client):
    person = make_user(role=Role.RESEARCHER)
    client.force_login(person)
    return person


def queued(**more) -> Job:
    return lifecycle.enqueue(kind="tests.jobs.work.quick", title="Import of pairs.jsonl", subject_id=7, **more)


def running(**more) -> tuple[Job, Attempt]:
    job = queued(**more)
    attempt = lifecycle.claim(attempt_id=job.attempts.get().pk, holder=processes.this_process())
    job.refresh_from_db()
    return job, attempt


def page(client, job: Job) -> str:
    response = client.get(reverse("job", args=[job.pk]))
    assert response.status_code == 200
    return response.content.decode()


def test_a_running_job_shows_how_far_it_is_and_asks_for_more(client, researcher):
    job, _ = running(created_by=researcher)
    Job.objects.filter(pk=job.pk).update(
        done=1200, total=3000, rate=45.0, phase="Reading the file", progress_at=timezone.now()
    )
    html = page(client, job)
    assert "Reading the file" in html
    assert "1,200 of 3,000 (40%)" in html
    assert "45 a second" in html
    assert re.search(r"about [34]\d s left", html)
    assert f'hx-get="/jobs/{job.pk}/progress/?said=Running%2C%20Reading%20the%20file%2C%2040%25"' in html


def test_the_fragment_speaks_only_when_there_is_something_to_say(client, researcher):
    job, _ = running()
    url = reverse("job_progress", args=[job.pk])
    Job.objects.filter(pk=job.pk).update(done=41, total=100)
    news = client.get(url, {"said": "Running, 30%"}, **HTMX).content.decode()
    same = client.get(url, {"said": "Running, 40%"}, **HTMX).content.decode()
    assert f'<p id="job-{job.pk}-said" hx-swap-oob="innerHTML">Running, 40%</p>' in news
    assert "hx-swap-oob" not in same
    assert "41 of 100 (41%)" in same
    assert "<html" not in news


def test_at_the_end_the_page_is_loaded_anew_and_asks_no_more(client, researcher):
    job, attempt = running()
    url = reverse("job_progress", args=[job.pk])
    assert "HX-Refresh" not in client.get(url, **HTMX).headers
    lifecycle.succeed(attempt=attempt)
    assert client.get(url, **HTMX).headers["HX-Refresh"] == "true"
    assert "hx-get" not in page(client, job)


def test_a_person_at_the_fragment_is_led_to_the_page(client, researcher):
    job = queued()
    assert client.get(reverse("job_progress", args=[job.pk])).headers["Location"] == reverse("job", args=[job.pk])


def test_a_failed_job_says_why_and_can_be_tried_again(client, researcher):
    job, attempt = running()
    lifecycle.fail(
        attempt=attempt, summary="Line 3 has no <b>response1</b>.", error="Traceback\nKeyError: 'x'", permanent=True
    )
    html = page(client, job)
    assert "Line 3 has no &lt;b&gt;response1&lt;/b&gt;." in html
    assert "<summary>KeyError: &#x27;x&#x27;</summary>" in html
    assert "Try again" in html
    assert client.post(reverse("job_retry", args=[job.pk])).status_code == 302
    job.refresh_from_db()
    assert (job.state, job.attempt_number) == ("queued", 2)


def test_a_queued_job_says_what_it_waits_for(client, researcher, settings):
    job = queued(queue=Job.Queue.GPU)
    assert "Waiting for a worker." in page(client, job)
    Attempt.objects.update(due_at=timezone.now() - timedelta(hours=2))
    assert "No worker took it for 2 h. Is one running for the queue “gpu”?" in page(client, job)
    other, _ = running(queue=Job.Queue.GPU)
    assert "Waiting for a worker of the queue “gpu”, which is at 1 other job." in page(client, job)
    other.attempts.update(due_at=timezone.now())
    job.attempts.update(due_at=timezone.now() + timedelta(seconds=40))
    assert "Attempt 1 begins in" in page(client, job)


def test_the_end_of_the_log_is_shown_as_text(client, researcher, settings, tmp_path):
    settings.TIEBREAK_HOME = tmp_path
    job, attempt = running()
    (tmp_path / attempt.log_path).parent.mkdir(parents=True)
    (tmp_path / attempt.log_path).write_text("loading <script>alert(1)</script>\n")
    assert "loading &lt;script&gt;alert(1)&lt;/script&gt;" in page(client, job)


def test_a_log_on_another_machine_is_said_to_be_there(client, researcher):
    job, _ = running()
    Attempt.objects.update(host="gpu-7")
    assert "it ran on gpu-7" in page(client, job)


def test_cancel_leads_back_to_where_the_button_was(client, researcher):
    job, _ = running()
    response = client.post(reverse("job_cancel", args=[job.pk]), {"next": "/runs/5/"})
    assert response.headers["Location"] == "/runs/5/"
    job.refresh_from_db()
    assert job.state == "cancelling"
    assert "Cancel</button>" not in page(client, job)


def test_cancel_does_not_lead_to_another_host(client, researcher):
    job = queued()
    response = client.post(reverse("job_cancel", args=[job.pk]), {"next": "https://elsewhere.example/"})
    assert response.headers["Location"] == reverse("job", args=[job.pk])


def test_a_late_cancel_says_so(client, researcher):
    job, attempt = running()
    lifecycle.succeed(attempt=attempt)
    response = client.post(reverse("job_cancel", args=[job.pk]), follow=True)
    assert "was over already" in response.content.decode()


@pytest.mark.parametrize("name", ["job_cancel", "job_retry"])
def test_a_look_changes_nothing(client, researcher, name):
    job = queued()
    assert client.get(reverse(name, args=[job.pk])).status_code == 405
    job.refresh_from_db()
    assert job.state == "queued"


@pytest.mark.parametrize(
    ("role", "is_creator", "seen", "steered"),
    [
        (Role.ANNOTATOR, False, 404, 404),
        (Role.ANNOTATOR, True, 200, 302),
        (Role.REVIEWER, False, 200, 403),
        (Role.REVIEWER, True, 200, 302),
        (Role.RESEARCHER, False, 200, 302),
        (Role.ADMINISTRATOR, False, 200, 302),
    ],
)
def test_who_sees_and_who_steers(client, role, is_creator, seen, steered):
    person = make_user(role=role)
    client.force_login(person)
    job = queued(created_by=person if is_creator else make_user())
    assert client.get(reverse("job", args=[job.pk])).status_code == seen
    assert client.get(reverse("job_progress", args=[job.pk]), **HTMX).status_code == seen
    if seen == 200:
        assert ("Cancel</button>" in page(client, job)) is (steered == 302)
    assert client.post(reverse("job_cancel", args=[job.pk])).status_code == steered
    assert client.post(reverse("job_retry", args=[job.pk])).status_code == steered


def test_nobody_sees_a_job_without_signing_in(client):
    assert client.get(reverse("job", args=[queued().pk])).status_code == 302


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMINISTRATOR])
def test_the_admin_shows_jobs_and_cancels_them_but_edits_nothing(client, role):
    client.force_login(make_user(role=role))
    job, attempt = running()
    over = queued()
    lifecycle.cancel(job=over)
    for url in (
        reverse("admin:jobs_job_changelist"),
        reverse("admin:jobs_job_change", args=[job.pk]),
        reverse("admin:jobs_attempt_changelist"),
        reverse("admin:jobs_attempt_change", args=[attempt.pk]),
    ):
        assert client.get(url).status_code == 200
    assert client.get(reverse("admin:jobs_job_add")).status_code == 403
    assert client.post(reverse("admin:jobs_job_change", args=[job.pk]), {"state": "failed"}).status_code == 403
    response = client.post(
        reverse("admin:jobs_job_changelist"),
        {"action": "cancel", "_selected_action": [job.pk, over.pk]},
        follow=True,
    )
    assert "1 of 2 jobs are being cancelled" in response.content.decode()
    job.refresh_from_db()
    assert job.state == "cancelling"


def test_a_job_that_is_tried_again_says_why_until_it_is_over(client, researcher):
    job, attempt = running()
    Job.objects.filter(pk=job.pk).update(phase="Saving")
    lifecycle.fail(attempt=attempt, summary="x", error="Traceback\nsome.module.OddError: It is odd.")
    html = page(client, job)
    assert "Attempt 1 did not end well. OddError: It is odd." in html
    assert "Saving" not in html
    Attempt.objects.filter(pk=attempt.pk).update(state=Attempt.State.STOPPED, error="")
    assert "Attempt 1 was stopped with its worker." in page(client, job)
    job.refresh_from_db()
    lifecycle.cancel(job=job)
    assert "Attempt 1 was" not in page(client, job)
