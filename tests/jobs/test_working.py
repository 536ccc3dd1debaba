"""Jobs on real workers that nobody disturbs: errors, retries, cancels, doubled messages, leftovers."""

import os
import signal

import pytest
from celery import current_app

from jobs import lifecycle, messages, processes
from tests.jobs import work
from tests.jobs.installation import attempts, enqueued, gone, numbers, processes_of, running, until, until_state

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("running_workers")]

ALL = list(range(work.STEPS))


def test_the_child_alone_is_killed(installation):
    job = enqueued("count")
    os.kill(running(job, rows=5).pid, signal.SIGKILL)
    until_state(job, "succeeded")
    assert numbers(job) == ALL
    first, _second = job.attempts.order_by("number")
    assert (first.state, first.exit_code) == ("lost", -signal.SIGKILL)
    assert "out of memory" in first.error


def test_a_message_that_comes_several_times_runs_the_work_once(installation):
    job = enqueued("count")
    attempt = job.attempts.get()
    for _ in range(5):
        current_app.send_task(messages.ATTEMPT_TASK, args=[attempt.pk], queue="default")
    until_state(job, "succeeded")
    current_app.send_task(messages.ATTEMPT_TASK, args=[attempt.pk], queue="default")
    after = enqueued("quick")
    until_state(after, "succeeded")
    assert work.rows_of(job.pk) == [(n, 1) for n in ALL]
    assert attempts(job) == ["succeeded"]


def test_a_cancel_ends_a_whole_tree_that_is_deaf(installation):
    job = enqueued("stubborn_tree")
    attempt = running(job)
    tree = until(lambda: len(found := processes_of(attempt)) == 4 and found, "four processes")
    assert lifecycle.cancel(job=job)
    until_state(job, "cancelled", seconds=10)
    assert [pid for pid in tree if processes.started(pid) is not None] == []
    assert attempts(job) == ["cancelled"]


def test_a_cancel_is_heard_at_a_safe_point(installation):
    job = enqueued("stops_at_a_safe_point", queue="api")
    running(job)
    lifecycle.cancel(job=job)
    until_state(job, "cancelled", seconds=5)
    assert job.attempts.get().exit_code == 0, "it stopped by itself"


def test_a_daemon_that_work_left_behind_is_killed(installation):
    job = enqueued("leaves_a_daemon")
    until_state(job, "succeeded")
    assert gone(job.attempts.get())


def test_what_a_retry_cannot_mend_is_not_retried(installation):
    wrong, memory = enqueued("wrong_input"), enqueued("out_of_memory")
    until_state(wrong, "failed")
    until_state(memory, "failed")
    assert wrong.error == "The file has no column 'response1'. Add it and import again."
    assert "ran out of memory" in memory.error
    assert (attempts(wrong), attempts(memory)) == (["failed"], ["failed"])


def test_what_fails_otherwise_is_tried_again_up_to_the_limit(installation):
    once, always, mute = enqueued("wrong_once"), enqueued("wrong_always"), enqueued("exits_without_a_word")
    until_state(once, "succeeded")
    until_state(always, "failed")
    until_state(mute, "failed")
    assert (attempts(once), work.rows_of(once.pk)) == (["failed", "succeeded"], [(1, 1), (2, 2)])
    assert (attempts(always), numbers(always)) == (["failed"] * 3, [1, 2, 3])
    assert always.error == "It was tried 3 times. The last time: ValueError: attempt 3 went wrong"
    assert 'raise ValueError(f"attempt' in always.attempts.get(number=2).error
    assert "exit code 7" in mute.error


def test_beat_says_nothing_of_its_rounds(installation):
    job = enqueued("quick", send=False)
    until_state(job, "succeeded")  # Only a round of the reaper can have sent it.
    logs = [log.read_text() for log in installation.home.glob("celery-*.log")]
    # More than one where another file's tests have run in this process before.
    said = [text for text in logs if "beat: Starting" in text]
    assert said
    assert not [text for text in said if "Sending due task" in text]
