"""What work sees: progress that shows at once, a fence around its writes, and running in this very process."""

import io
import re
import threading
import time

import pytest
from django.db import connection, connections

from jobs import lifecycle, processes
from jobs.errors import Cancelled, PermanentError, StaleAttempt
from jobs.models import Attempt, Job
from jobs.running import Running, run_here, side_connection
from tests.jobs import work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _table(settings):
    settings.JOB_PROGRESS_SECONDS = 0.05
    settings.JOB_BEAT_SECONDS = 0.05
    with connection.cursor() as cursor:
        cursor.execute(work.CREATE_TABLE)
    yield
    with connection.cursor() as cursor:
        cursor.execute(work.DROP_TABLE)


def queued(name: str = "quick") -> Job:
    return lifecycle.enqueue(kind=f"tests.jobs.work.{name}", title="Work", subject_id=7, send=False)


def claimed(job: Job) -> Attempt:
    job.refresh_from_db()
    attempt = job.attempts.get(number=job.attempt_number)
    return lifecycle.claim(attempt_id=attempt.pk, holder=processes.this_process())


def elsewhere(do):
    """The result of `do` over another connection, as another process would have it."""
    results = []

    def run():
        try:
            results.append(do())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=10)
    assert results, "it did not come to an end"
    return results[0]


def seen_elsewhere(job: Job) -> tuple:
    return elsewhere(lambda: Job.objects.values_list("done", "total", "phase").get(pk=job.pk))


def test_progress_shows_while_a_transaction_is_open():
    job = queued()
    with side_connection() as side:
        running = Running(attempt=claimed(job), side=side)
        with running.writing():
            running.progress(300, 1000, "Copying")
            assert seen_elsewhere(job) == (300, 1000, "Copying")


def test_progress_is_written_now_and_then_and_at_the_end():
    job = queued()
    with side_connection() as side:
        running = Running(attempt=claimed(job), side=side)
        side.force_debug_cursor = True
        for n in range(10_000):
            running.progress(n, 10_000, "Counting")
        written = len(side.queries_log)
        running.flush()
        assert written < 100
    assert seen_elsewhere(job) == (9_999, 10_000, "Counting")


def test_a_cancel_and_beats_do_not_wait_for_open_writes():
    job = queued()
    attempt = claimed(job)
    with side_connection() as side:
        running = Running(attempt=attempt, side=side)
        with running.writing():
            began = time.monotonic()
            assert elsewhere(lambda: lifecycle.cancel(job=job))
            assert elsewhere(lambda: lifecycle.beat(attempt=attempt))
            assert time.monotonic() - began < 1
        time.sleep(0.1)
        with pytest.raises(Cancelled):
            running.check()
        with pytest.raises(Cancelled):
            running.progress(1, 2, "On")
        with running.writing():  # What was worked out may still be saved.
            pass


def test_the_next_attempt_waits_for_open_writes_of_the_last():
    job = queued()
    attempt = claimed(job)
    with side_connection() as side:
        running = Running(attempt=attempt, side=side)
        with running.writing():
            assert not elsewhere(lambda: lifecycle.lose(attempt=attempt, error="Gone", wait=False))
            waiter = threading.Thread(
                target=lambda: (lifecycle.lose(attempt=attempt, error="Gone", at_once=True), connections.close_all())
            )
            waiter.start()
            time.sleep(0.3)
            assert waiter.is_alive()
        waiter.join(timeout=5)
        job.refresh_from_db()
        assert job.attempt_number == 2
        with pytest.raises(StaleAttempt), running.writing():
            pytest.fail("an overtaken attempt came through the fence")


def test_an_overtaken_attempt_hears_of_it():
    job = queued()
    attempt = claimed(job)
    lifecycle.lose(attempt=attempt, error="Gone", at_once=True)
    with side_connection() as side:
        running = Running(attempt=attempt, side=side)
        with pytest.raises(StaleAttempt):
            running.check()
        with pytest.raises(StaleAttempt):
            running.progress(1)
    assert seen_elsewhere(job) == (0, None, "")


def test_progress_survives_a_broken_connection():
    job = queued()
    with side_connection() as side:
        running = Running(attempt=claimed(job), side=side)
        running.progress(1, 10, "On")
        with side.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
        time.sleep(0.1)
        running.progress(2, 10, "On")
        time.sleep(0.1)
        running.progress(3, 10, "On")
    assert seen_elsewhere(job) == (3, 10, "On")


def test_a_resumed_attempt_shows_no_rate_of_what_others_did(settings):
    settings.JOB_PROGRESS_SECONDS = 0.01
    job = queued()
    with side_connection() as side:
        running = Running(attempt=claimed(job), side=side)
        running.progress(1_000_000, 1_000_100, "Judging")
        time.sleep(1.1)
        running.progress(1_000_011, 1_000_100, "Judging")
    job.refresh_from_db()
    assert job.rate == pytest.approx(10, rel=0.2)


def test_run_here_does_the_work_and_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr(work, "STEPS", 5)
    out = io.StringIO()
    job = run_here(job=queued("count"), out=out)
    assert job.state == "succeeded"
    assert [n for n, _ in work.rows_of(job.pk)] == [0, 1, 2, 3, 4]
    assert re.match(r"Counting: 0 of 5 \(0%\), running for 0 s\n", out.getvalue())
    assert job.attempts.get().supervisor_pid is not None


def test_run_here_beats_while_the_work_is_busy(monkeypatch):
    monkeypatch.setattr(work, "quick", lambda _: time.sleep(0.4))
    job = run_here(job=queued(), out=io.StringIO())
    attempt = job.attempts.get()
    assert attempt.beat_at > attempt.started_at


def test_run_here_raises_what_the_work_raises_and_nobody_tries_again():
    job = queued("wrong_always")
    with pytest.raises(ValueError, match="attempt 1 went wrong"):
        run_here(job=job, out=io.StringIO())
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "ValueError: attempt 1 went wrong")
    assert "Traceback" in job.attempts.get().error


def test_run_here_records_a_ctrl_c(monkeypatch):
    def interrupted(running):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "quick", interrupted)
    job = queued()
    with pytest.raises(KeyboardInterrupt):
        run_here(job=job, out=io.StringIO())
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_run_here_follows_a_worker_that_was_quicker():
    job = queued()
    attempt = claimed(job)
    worker = threading.Timer(0.7, lambda: (lifecycle.succeed(attempt=attempt), connections.close_all()))
    worker.start()
    assert run_here(job=job, out=io.StringIO()).state == "succeeded"
    worker.join()


def test_run_here_says_how_it_failed_elsewhere():
    job = queued()
    lifecycle.fail(attempt=claimed(job), summary="Add the column.", error="", permanent=True)
    with pytest.raises(PermanentError, match="Add the column"):
        run_here(job=job, out=io.StringIO())


def test_work_that_this_version_does_not_have_is_told_by_name():
    job = queued("renamed_since")
    with pytest.raises(PermanentError, match=r"tests\.jobs\.work\.renamed_since"):
        run_here(job=job, out=io.StringIO())
