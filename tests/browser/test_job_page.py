"""The page of a job while the job goes on: it follows without being loaded again, and says little but enough."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Role
from jobs import lifecycle, processes
from jobs.models import Job
from tests.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def attempt():
    job = lifecycle.enqueue(kind="tests.jobs.work.quick", title="Import of pairs.jsonl", subject_id=7, send=False)
    return lifecycle.claim(attempt_id=job.attempts.get().pk, holder=processes.this_process())


@pytest.fixture
def page(open_page, attempt):
    return open_page(f"/jobs/{attempt.job_id}/", user=make_user(role=Role.RESEARCHER))


def now_at(attempt, done: int) -> None:
    Job.objects.filter(pk=attempt.job_id).update(
        done=done, total=100, rate=2.0, phase="Reading", progress_at=timezone.now()
    )


def test_the_page_follows_the_job_to_its_end(page, attempt):
    page.evaluate("window.notLoadedAgain = true")
    said = page.locator(f"#job-{attempt.job_id}-said")
    now_at(attempt, 31)
    expect(page.get_by_text("31 of 100 (31%)")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "31")
    expect(said).to_have_text("Running, Reading, 30%")
    page.evaluate("id => { window.live = document.getElementById(id) }", f"job-{attempt.job_id}-said")
    now_at(attempt, 52)
    expect(said).to_have_text("Running, Reading, 50%")
    assert page.evaluate("window.live.isConnected"), "a live region that is replaced is not read out"
    assert page.evaluate("window.notLoadedAgain")
    lifecycle.succeed(attempt=attempt)
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    assert page.evaluate("window.notLoadedAgain === undefined"), "at the end it is loaded again"
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.wait_for_timeout(2500)
    assert requests == [], "what is over is asked for no more"


def test_the_end_of_the_log_grows_in_view(page, attempt, settings):
    path = settings.TIEBREAK_HOME / attempt.log_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"batch {n}\n" for n in range(200)))
    page.reload()
    expect(page.get_by_text("batch 199")).to_be_in_viewport()
    with path.open("a") as log:
        log.write("the last batch\n")
    expect(page.get_by_text("the last batch")).to_be_in_viewport()


def test_it_is_cancelled_by_keyboard(page, attempt):
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is being cancelled")).to_be_visible()
    assert Job.objects.get(pk=attempt.job_id).state == "cancelling"
    lifecycle.end_cancelled(attempt=attempt)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("goes on from what it has saved")).to_be_visible()


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 375, "height": 812}}])
def test_the_page_is_accessible(open_page, attempt, options):
    now_at(attempt, 31)
    lifecycle.fail(attempt=attempt, summary="Add the column.", error="Traceback\nKeyError: 'x'", permanent=True)
    page = open_page(f"/jobs/{attempt.job_id}/", user=make_user(role=Role.RESEARCHER), **options)
    page.locator("summary").click()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
