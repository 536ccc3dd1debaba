"""A job's changes of state, without processes: each is conditional, and only the current attempt has a say."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F, QuerySet, Value
from django.utils import timezone

from jobs import lifecycle, models, processes, reaper
from jobs.errors import StaleAttempt
from jobs.models import Attempt, Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _patience(settings):
    settings.JOB_RETRY_SECONDS = 10


def queued(**more) -> Job:
    return lifecycle.enqueue(kind="tests.jobs.work.quick", title="Work", subject_id=7, **more)


def current(job: Job) -> Attempt:
    job.refresh_from_db()
    return job.attempts.get(number=job.attempt_number)


def claimed(job: Job) -> Attempt:
    attempt = lifecycle.claim(attempt_id=current(job).pk, holder=processes.this_process())
    assert attempt is not None
    return attempt


def states(job: Job) -> list[str]:
    return list(job.attempts.order_by("number").values_list("state", flat=True))


def test_a_new_job_waits_with_its_first_attempt():
    job = queued(queue=Job.Queue.API, max_attempts=2)
    assert (job.state, job.queue, job.attempt_number, job.last_attempt) == ("queued", "api", 1, 2)
    assert states(job) == ["queued"]


def test_a_title_that_is_too_long_is_cut():
    assert len(queued_with_title("x" * 1000).title) == 300


def queued_with_title(title: str) -> Job:
    return lifecycle.enqueue(kind="tests.jobs.work.quick", title=title, subject_id=7)


def test_the_message_goes_out_when_the_transaction_commits(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        job = queued()
    assert [(call.keywords["attempt_id"], call.keywords["queue"]) for call in callbacks] == [
        (current(job).pk, "default")
    ]


def test_who_runs_the_job_itself_asks_for_no_message(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        queued(send=False)
    assert callbacks == []


def test_an_attempt_is_claimed_once():
    job = queued()
    attempt_id = current(job).pk
    first = lifecycle.claim(attempt_id=attempt_id, holder=processes.this_process())
    second = lifecycle.claim(attempt_id=attempt_id, holder=processes.this_process())
    assert first.state == Attempt.State.RUNNING
    assert second is None
    assert current(job).host == processes.this_process().host


def test_an_attempt_that_is_not_there_cannot_be_claimed():
    assert lifecycle.claim(attempt_id=10**9, holder=processes.this_process()) is None


def test_success_ends_job_and_attempt():
    job = queued()
    assert lifecycle.succeed(attempt=claimed(job))
    job.refresh_from_db()
    assert job.state == "succeeded"
    assert job.finished_at is not None
    assert states(job) == ["succeeded"]


def test_a_failure_is_tried_again_after_a_while_that_grows():
    job = queued()
    lifecycle.fail(attempt=claimed(job), summary="Oh", error="Traceback\nOh")
    assert job.attempts.get(number=1).error == "Traceback\nOh"
    assert states(job) == ["failed", "queued"]
    first_wait = current(job).due_at - timezone.now()
    lifecycle.fail(attempt=claimed(job), summary="Oh", error="")
    second_wait = current(job).due_at - timezone.now()
    assert first_wait == pytest.approx(timedelta(seconds=10), abs=timedelta(seconds=1))
    assert second_wait == pytest.approx(timedelta(seconds=40), abs=timedelta(seconds=1))


def test_the_last_failure_is_the_end_and_says_why():
    job = queued(max_attempts=2)
    lifecycle.fail(attempt=claimed(job), summary="First", error="")
    lifecycle.fail(attempt=claimed(job), summary="Second", error="")
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.error == "It was tried 2 times. The last time: Second"
    assert states(job) == ["failed", "failed"]


def test_a_permanent_error_is_the_end_at_once():
    job = queued()
    lifecycle.fail(attempt=claimed(job), summary="Add the column.", error="", permanent=True)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "Add the column.")
    assert states(job) == ["failed"]


def test_a_lost_attempt_is_followed_at_once_where_the_worker_was_to_blame():
    job = queued()
    lifecycle.lose(attempt=claimed(job), error="Gone", at_once=True)
    assert states(job) == ["lost", "queued"]
    assert current(job).due_at <= timezone.now()


def test_being_stopped_with_the_worker_does_not_count_against_the_limit():
    job = queued(max_attempts=1)
    for _ in range(3):
        lifecycle.stop(attempt=claimed(job))
    lifecycle.fail(attempt=claimed(job), summary="Oh", error="")
    job.refresh_from_db()
    assert states(job) == ["stopped"] * 3 + ["failed"]
    assert (job.state, job.error) == ("failed", "Oh")


def test_a_queued_job_is_cancelled_at_once():
    job = queued()
    attempt_id = current(job).pk
    assert lifecycle.cancel(job=job)
    job.refresh_from_db()
    assert (job.state, states(job)) == ("cancelled", ["cancelled"])
    assert lifecycle.claim(attempt_id=attempt_id, holder=processes.this_process()) is None


def test_a_running_job_is_told_to_stop_at_its_next_beat():
    job = queued()
    attempt = claimed(job)
    assert not lifecycle.beat(attempt=attempt)
    assert lifecycle.cancel(job=job)
    assert lifecycle.cancel(job=job), "a second click finds it being cancelled"
    job.refresh_from_db()
    assert job.state == "cancelling"
    assert lifecycle.beat(attempt=attempt)
    assert lifecycle.end_cancelled(attempt=attempt)
    job.refresh_from_db()
    assert (job.state, states(job)) == ("cancelled", ["cancelled"])


def test_what_is_over_cannot_be_cancelled():
    job = queued()
    lifecycle.succeed(attempt=claimed(job))
    assert not lifecycle.cancel(job=job)
    job.refresh_from_db()
    assert job.state == "succeeded"


@pytest.mark.parametrize("ending", ["fail", "lose", "stop"])
def test_a_cancelled_job_gets_no_next_attempt(ending):
    job = queued()
    attempt = claimed(job)
    lifecycle.cancel(job=job)
    words = {"fail": {"summary": "", "error": ""}, "lose": {"error": ""}, "stop": {}}[ending]
    assert getattr(lifecycle, ending)(attempt=attempt, **words)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert job.attempts.count() == 1


def test_work_that_was_done_before_it_heard_of_the_cancel_is_done():
    job = queued()
    attempt = claimed(job)
    lifecycle.cancel(job=job)
    lifecycle.succeed(attempt=attempt)
    job.refresh_from_db()
    assert job.state == "succeeded"


@pytest.mark.parametrize("change", ["succeed", "end_cancelled", "fail", "lose", "stop"])
def test_an_overtaken_attempt_has_no_say(change):
    job = queued()
    old = claimed(job)
    lifecycle.lose(attempt=old, error="Gone", at_once=True)
    new = claimed(job)
    words = {"fail": {"summary": "", "error": ""}, "lose": {"error": ""}}.get(change, {})
    assert not getattr(lifecycle, change)(attempt=old, **words)
    assert states(job) == ["lost", "running"]
    with pytest.raises(StaleAttempt):
        lifecycle.beat(attempt=old)
    assert lifecycle.succeed(attempt=new)


def test_a_failed_job_can_be_tried_again_with_all_its_attempts():
    job = queued(max_attempts=1)
    lifecycle.fail(attempt=claimed(job), summary="Oh", error="")
    assert lifecycle.requeue(job=job)
    job.refresh_from_db()
    assert (job.state, job.error, job.finished_at) == ("queued", "", None)
    assert (job.attempt_number, job.last_attempt) == (2, 2)
    assert lifecycle.succeed(attempt=claimed(job))
    assert not lifecycle.requeue(job=job), "a job that succeeded is over for good"


def test_a_second_live_attempt_is_refused_by_the_database():
    job = queued()
    with pytest.raises(Exception, match="attempt_one_live_a_job"):
        Attempt.objects.create(job=job, number=2)


def test_an_error_with_a_nul_is_kept_without_it():
    job = queued()
    lifecycle.fail(attempt=claimed(job), summary="a\0b", error="c\0d", permanent=True)
    job.refresh_from_db()
    assert (job.error, job.attempts.get().error) == ("ab", "cd")


def test_who_sees_what(django_user_model):
    people = {
        role: django_user_model.objects.create_user(role, role=role) for role in ("annotator", "reviewer", "researcher")
    }
    theirs = queued(created_by=people["annotator"])
    nobodys = queued()
    assert list(Job.objects.visible_to(people["annotator"])) == [theirs]
    assert set(Job.objects.visible_to(people["reviewer"])) == {theirs, nobodys}
    assert theirs.may_be_steered_by(people["annotator"])
    assert not theirs.may_be_steered_by(people["reviewer"])
    assert theirs.may_be_steered_by(people["researcher"])


def age(job: Job, **fields: timedelta) -> None:
    """Put an attempt's times into the past."""
    Attempt.objects.filter(job=job).update(**{name: timezone.now() - ago for name, ago in fields.items()})


@pytest.mark.parametrize(
    ("queued_for", "sent_ago", "sent_again"),
    [(40, None, True), (40, 10, False), (40, 35, True), (400, 100, False), (400, 250, True), (9000, 310, True)],
)
def test_a_message_is_sent_again_ever_more_rarely(settings, queued_for, sent_ago, sent_again):
    settings.JOB_RESEND_SECONDS = 30
    job = queued()
    age(job, created_at=timedelta(seconds=queued_for), due_at=timedelta(seconds=queued_for))
    if sent_ago is not None:
        age(job, sent_at=timedelta(seconds=sent_ago))
    assert Attempt.objects.unsent().exists() is sent_again


def test_a_retry_is_not_sent_before_it_is_due():
    job = queued()
    lifecycle.fail(attempt=claimed(job), summary="", error="")
    assert not Attempt.objects.unsent().exists()
    age(job, due_at=timedelta(seconds=1))
    assert Attempt.objects.unsent().get() == current(job)


def test_a_beat_is_stale_only_if_the_database_was_there_to_take_it(settings):
    job = queued()
    claimed(job)
    age(job, beat_at=timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM statement_timestamp() - pg_postmaster_start_time())")
        uptime = float(cursor.fetchone()[0])
    since_before = Attempt.objects.running_or_stale(stale_after=timedelta(seconds=uptime + 60)).get()
    since_after = Attempt.objects.running_or_stale(stale_after=timedelta(seconds=uptime / 2)).get()
    assert not since_before.is_stale
    assert since_after.is_stale


def stale(after: float = 30) -> QuerySet:
    return Attempt.objects.running_or_stale(stale_after=timedelta(seconds=after))


def test_a_clock_that_jumps_makes_nobody_dead(settings, monkeypatch):
    """All beats look old at once; who lives beats again, who does not is found silent some beats later."""
    settings.JOB_BEAT_SECONDS, settings.JOB_STALE_SECONDS = 5, 30
    monkeypatch.setattr(models, "PostmasterStart", lambda: Value(timezone.now() - timedelta(days=1)))
    lives, hangs = claimed(queued()), claimed(queued())
    Attempt.objects.update(beat_at=timezone.now() - timedelta(hours=1), host="elsewhere")
    reaper.reap()
    assert [attempt.is_stale for attempt in stale()] == [True, True]
    assert not any(attempt.is_silent for attempt in stale())
    lifecycle.beat(attempt=lives)
    reaper.reap()
    assert not any(attempt.is_silent for attempt in stale())
    Attempt.objects.update(doubted_at=F("doubted_at") - timedelta(seconds=11))
    reaper.reap()
    lives.refresh_from_db()
    hangs.refresh_from_db()
    assert (lives.state, hangs.state) == (Attempt.State.RUNNING, Attempt.State.LOST)
    # Its beat grows old once more, and is doubted once more before it counts.
    age(lives.job, doubted_at=timedelta(minutes=3), beat_at=timedelta(minutes=2))
    reaper.reap()
    lives.refresh_from_db()
    assert lives.state == Attempt.State.RUNNING
