"""The page of a run while several workers share it: one progress for all, Pause and Go on, and what it would cost."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Role
from jobs import lifecycle, processes
from jobs.models import Attempt, Job
from judging.models import JudgeRun
from judging.runs.crews import helpers_of
from judging.runs.starting import start_run
from tests.factories import make_dataset, make_judge, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}]


@pytest.fixture
def run() -> JudgeRun:
    """Two of its three workers are at it."""
    made = start_run(
        judge=make_judge(name="Large judge"), dataset=make_dataset(slug="chat", pairs=4), workers=3, send=False
    )
    for job in (made.job, helpers_of(made).first()):
        lifecycle.claim(attempt_id=job.attempts.get().pk, holder=processes.this_process())
    return made


def now_at(job: Job, done: int, **more: object) -> None:
    values = {"done": done, "total": 4000, "rate": 20.0, "phase": "Judging", "progress_at": timezone.now()} | more
    Job.objects.filter(pk=job.pk).update(**values)


def opened(open_page, run: JudgeRun, **options):
    return open_page(run.get_absolute_url(), user=make_user(role=Role.RESEARCHER), **options)


def test_whoever_knows_best_tells_how_far_all_are(open_page, run):
    page = opened(open_page, run)
    now_at(run.job, 900)
    expect(page.get_by_text("900 of 4,000 (22%)")).to_be_visible()
    expect(page.locator(f"#run-{run.pk}-said")).to_have_text("Running, Judging, 20%")
    # The run's own worker was killed, and waits for its next attempt.
    lifecycle.lose(attempt=Attempt.objects.get(job=run.job), error="killed")
    now_at(helpers_of(run).first(), 1300)
    expect(page.get_by_text("1,300 of 4,000 (32%)")).to_be_visible()
    expect(page.get_by_role("row", name="Worker 1")).to_contain_text("queued")
    expect(page.get_by_role("row", name="Worker 2")).to_contain_text("running")


def test_it_is_paused_and_goes_on_by_keyboard(open_page, run):
    page = opened(open_page, run)
    now_at(run.job, 900)
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Pausing", exact=True)).to_be_visible()
    for job in (run.job, helpers_of(run).first()):
        assert lifecycle.end_cancelled(attempt=Attempt.objects.get(job=job))
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "900")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("The run goes on")).to_be_visible()
    assert helpers_of(run).live().count() == 2


@pytest.mark.parametrize("options", LOOKS)
def test_the_page_is_accessible(open_page, run, options):
    now_at(run.job, 900)
    lifecycle.fail(
        attempt=Attempt.objects.get(job=helpers_of(run).first()),
        summary="/models/large does not exist on this worker.",
        error="",
        permanent=True,
    )
    page = opened(open_page, run, **options)
    expect(page.get_by_text("does not exist on this worker")).to_be_visible()
    is_fit(page)


@pytest.mark.parametrize("options", LOOKS)
def test_what_it_would_cost_is_told_above_the_form(open_page, options):
    server = {"base_url": "http://127.0.0.1:1/v1", "price_in": 1000.0, "price_out": 2000.0}
    make_judge(name="API judge", backend="openai", model="m", parameters=server)
    make_dataset(slug="chat", pairs=5)
    page = open_page("/runs/new/", user=make_user(role=Role.RESEARCHER), **options)
    page.get_by_label("Judge").select_option("API judge")
    page.get_by_label("Dataset").select_option("chat")
    page.get_by_label("Budget").fill("1.00")
    page.get_by_role("button", name="What would it cost?").click()
    expect(page.get_by_role("heading", name="What it would take")).to_be_visible()
    expect(page.get_by_label("Budget")).to_have_value("1.00")
    expect(page.get_by_text("The run would pause there")).to_be_visible()
    is_fit(page)


def is_fit(page) -> None:
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
