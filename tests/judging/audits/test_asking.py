"""Audits of large runs: asked for on a page, drawn by a job, and shown as far as they are."""

import io

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Role
from annotation.removal import BusyError, contents_of, remove
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import run_here
from judging.audits import asking
from judging.models import Audit, JudgeRun
from tests import factories
from tests.judging.audits.made import make_distilled
from tests.judging.scored import make_judge

pytestmark = pytest.mark.django_db

SAMPLE = {"mode": "sample", "size": 5, "strata": ["verdict"], "allocation": "proportional", "minimum": 1, "seed": 7}
SUSPICIOUS = {"mode": "suspicious", "size": 5, "signals": ["contradiction", "conflict"]}


@pytest.fixture
def made():
    return make_distilled(pairs=12)


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(asking, "AT_ONCE", 11)


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


def ask(client, made, given: dict) -> Audit:
    answer = client.post(reverse("audit_new", args=[made.dataset.slug]), given | {"run": made.run.pk})
    audit = Audit.objects.latest("pk")
    assert answer.url == audit.get_absolute_url()
    return audit


def positions(audit: Audit) -> list:
    return list(audit.items.order_by("position").values_list("pair", "swapped", "distilled"))


def run(audit: Audit) -> None:
    run_here(job=audit.job, out=io.StringIO())
    audit.refresh_from_db()


@pytest.mark.parametrize("given", [SAMPLE, SUSPICIOUS])
def test_a_job_draws_what_a_request_would(client, reviewer, made, monkeypatch, given):
    at_once = ask(client, made, given)
    assert (at_once.is_drawn, at_once.job) == (True, None)
    monkeypatch.setattr(asking, "AT_ONCE", 11)
    by_job = ask(client, made, given)
    assert (by_job.is_drawn, by_job.items.count()) == (False, 0)
    run(by_job)
    assert by_job.is_drawn
    assert by_job.job.state == Job.State.SUCCEEDED
    assert positions(by_job) == positions(at_once)
    assert (by_job.recipe, by_job.seed, by_job.created_by) == (at_once.recipe, at_once.seed, reviewer)


def test_a_second_attempt_changes_nothing_of_what_is_drawn(client, reviewer, made, large):
    audit = ask(client, made, SAMPLE)
    run(audit)
    before = positions(audit)
    again = asking.lifecycle.enqueue(kind=asking.WORK, title="again", subject_id=audit.pk, send=False)
    run_here(job=again, out=io.StringIO())
    assert positions(audit) == before


def test_until_it_is_drawn_its_page_tells_how_far_it_is_and_nobody_is_given_it(client, reviewer, made, large):
    audit = ask(client, made, SAMPLE)
    page = client.get(audit.get_absolute_url()).content.decode()
    assert "Its labels are being drawn" in page
    assert reverse("job_progress", args=[audit.job_id]) in page
    assert "being drawn" in client.get(reverse("audits", args=[made.dataset.slug])).content.decode()
    for name in ("audit_items", "audit_export", "audit_snapshot"):
        assert client.get(reverse(name, args=[audit.pk])).status_code == 404
    annotator = factories.make_user()
    assert not Audit.objects.audited_by(annotator).exists()
    run(audit)
    assert Audit.objects.audited_by(annotator).get() == audit
    assert "Error rate of all 12 labels" in client.get(audit.get_absolute_url()).content.decode()


def test_a_draw_that_finds_nothing_says_what_to_do(client, reviewer, made, large):
    audit = ask(client, made, SUSPICIOUS | {"signals": ["identical"]})
    with pytest.raises(PermanentError):
        run(audit)
    page = client.get(audit.get_absolute_url()).content.decode()
    assert "No label was drawn" in page
    assert "choose more signs, or draw a sample instead" in page
    assert "Try again" in page
    assert "not drawn" in client.get(reverse("audits", args=[made.dataset.slug])).content.decode()


def test_a_run_whose_probabilities_were_asked_for_is_found_again(client, reviewer, made, large):
    other = JudgeRun.objects.create(judge=make_judge("surer"), dataset=made.dataset)
    audit = ask(client, made, SUSPICIOUS | {"probabilities": other.pk})
    run(audit)
    assert audit.recipe["probabilities"] == {"run": other.pk, "judge": "surer"}


def test_a_run_whose_probabilities_were_asked_for_and_is_gone_is_told(client, reviewer, made, large):
    other = JudgeRun.objects.create(judge=make_judge("surer"), dataset=made.dataset)
    audit = ask(client, made, SUSPICIOUS | {"probabilities": other.pk})
    other.delete()
    with pytest.raises(PermanentError, match="is gone"):
        run(audit)


def test_a_dataset_is_not_removed_while_an_audit_of_it_is_drawn(client, reviewer, made, large):
    audit = ask(client, made, SAMPLE)
    with pytest.raises(BusyError, match="audit is being drawn"):
        remove(dataset=made.dataset, known=contents_of(made.dataset), by=reviewer)
    run(audit)
    assert remove(dataset=made.dataset, known=contents_of(made.dataset), by=reviewer)


def test_an_audit_of_a_removed_dataset_is_drawn_no_more(client, reviewer, made, large):
    audit = ask(client, made, SAMPLE)
    job = audit.job
    audit.delete()
    assert run_here(job=job, out=io.StringIO()).state == Job.State.SUCCEEDED


def failed(audit: Audit) -> Audit:
    Job.objects.filter(pk=audit.job_id).update(state=Job.State.FAILED, finished_at=timezone.now())
    audit.refresh_from_db()
    return audit


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("given", [SAMPLE, SUSPICIOUS])
def test_an_audit_that_was_not_drawn_is_asked_for_again_filled_in_like_it(client, reviewer, made, given):
    audit = failed(ask(client, made, given))
    page = client.get(audit.get_absolute_url()).content.decode()
    again = f"{reverse('audit_new', args=[made.dataset.slug])}?like={audit.pk}"
    assert again in page
    form = client.get(again).context["form"]
    said = {name: form[name].value() for name in given}
    assert {name: str(value) for name, value in said.items()} == {name: str(value) for name, value in given.items()}
    assert form["run"].value() == made.run.pk


@pytest.mark.usefixtures("large")
def test_an_audit_that_was_not_drawn_can_be_removed_and_no_other(client, reviewer, made):
    audit = ask(client, made, SAMPLE)
    client.post(reverse("audit_discard", args=[audit.pk]))
    assert Audit.objects.filter(pk=audit.pk).exists()
    failed(audit)
    assert client.post(reverse("audit_discard", args=[audit.pk])).url == reverse("audits", args=[made.dataset.slug])
    assert not Audit.objects.filter(pk=audit.pk).exists()
    assert Job.objects.filter(pk=audit.job_id).exists()
    drawn = ask(client, made, SAMPLE)
    run(drawn)
    client.post(reverse("audit_discard", args=[drawn.pk]))
    assert Audit.objects.filter(pk=drawn.pk).exists()
