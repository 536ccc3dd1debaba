"""Jobs on real workers, while processes and services are killed under them."""

import os
import signal
import socket
import threading
import time

import pytest
from celery import current_app
from django.db import connections

from jobs import lifecycle, processes, reaper
from jobs.models import Attempt, Job
from tests.jobs import work
from tests.jobs.installation import (
    Installation,
    attempts,
    enqueued,
    gone,
    kill_session,
    numbers,
    processes_of,
    running,
    until,
    until_state,
)

pytestmark = pytest.mark.slow

ALL = list(range(work.STEPS))


def test_all_of_a_worker_is_killed_and_the_job_goes_on_where_it_was(installation: Installation):
    worker = installation.worker()
    job = enqueued("count")
    attempt = running(job, rows=5)
    kill_session(worker)
    until(lambda: gone(attempt), "the child died with its supervisor", seconds=5)
    saved = len(numbers(job))
    assert saved < work.STEPS
    killed_at = time.monotonic()
    installation.worker()  # It reaps when it is ready; there is no beat here.
    until(lambda: len(numbers(job)) > saved, "it went on")
    assert time.monotonic() - killed_at < 20
    until_state(job, "succeeded")
    assert numbers(job) == ALL
    assert attempts(job) == ["lost", "succeeded"]


@pytest.mark.parametrize("victim", ["supervisor", "worker"])
def test_one_process_of_a_worker_is_killed(installation: Installation, victim):
    """The pool's process that supervises, or the worker above it: the child must not survive either."""
    installation.beat()
    worker = installation.worker()
    job = enqueued("count")
    attempt = running(job, rows=5)
    os.kill(attempt.supervisor_pid if victim == "supervisor" else worker.pid, signal.SIGKILL)
    until(lambda: gone(attempt), "the child died", seconds=5)
    if victim == "worker":
        until(lambda: processes.started(attempt.supervisor_pid) is None, "the pool died with its worker", seconds=5)
        installation.worker()
    until_state(job, "succeeded")
    assert numbers(job) == ALL
    assert attempts(job) == ["lost", "succeeded"]


def test_a_worker_that_is_stopped_hands_its_job_over_without_counting_it(installation: Installation):
    worker = installation.worker()
    job = enqueued("count", max_attempts=1)
    attempt = running(job, rows=5)
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=15)
    assert gone(attempt)
    job.refresh_from_db()
    assert (job.state, attempts(job)) == ("queued", ["stopped", "queued"])
    installation.worker()
    until_state(job, "succeeded")
    assert numbers(job) == ALL


def test_the_broker_dies_with_all_its_messages(installation: Installation):
    """One job runs meanwhile, one waits for its message, one is asked for while there is no broker."""
    installation.beat()
    installation.worker(concurrency=1)
    runs, waits = enqueued("count"), enqueued("quick")
    running(runs, rows=3)
    installation.lose_the_broker()
    began = time.monotonic()
    asked = enqueued("quick")
    assert time.monotonic() - began < 3, "whoever asks does not wait for the broker"
    assert asked.attempts.get().sent_at is None
    installation.start_broker()
    for job in (runs, waits, asked):
        until_state(job, "succeeded")
    assert (numbers(runs), numbers(waits), numbers(asked)) == (ALL, [0], [0])
    assert attempts(runs) == ["succeeded"], "the broker is not needed to go on"


def test_the_database_dies_and_comes_back(installation: Installation):
    installation.beat()
    installation.worker()
    job = enqueued("count")
    running(job, rows=5)
    installation.kill_database()
    connections.close_all()
    time.sleep(1)
    installation.start_database()
    until_state(job, "succeeded")
    assert numbers(job) == ALL
    assert job.attempts.filter(state="lost").count() == 0, "nobody took it for dead"


def test_what_a_killed_supervisor_left_behind_is_killed(installation: Installation):
    """The kernel ends the child with its supervisor, but not the child's own children."""
    worker = installation.worker()
    job = enqueued("stubborn_tree")
    attempt = running(job)
    until(lambda: len(processes_of(attempt)) == 4, "four processes")
    kill_session(worker)
    until(lambda: len(processes_of(attempt)) == 3, "the child died", seconds=5)
    reaper.reap()
    assert gone(attempt)
    assert attempts(job) == ["lost", "queued"]


def test_an_overtaken_attempt_cannot_write(installation: Installation):
    """Its supervisor was away (stopped, as on a machine that hangs) for so long that another attempt took over."""
    worker = installation.worker(concurrency=1)
    job = enqueued("touches")
    old = running(job)
    os.kill(old.supervisor_pid, signal.SIGSTOP)
    lifecycle.lose(attempt=old, error="It hangs.", at_once=True)
    new = lifecycle.claim(attempt_id=job.attempts.get(number=2).pk, holder=processes.this_process())
    (installation.home / f"gate-{job.pk}").touch()
    until(lambda: gone(old), "the old work was refused, and ended")
    os.kill(old.supervisor_pid, signal.SIGCONT)
    assert work.rows_of(job.pk) == [(0, 1)]
    assert lifecycle.succeed(attempt=new)
    kill_session(worker)
    assert "Another attempt took over" in (installation.home / old.log_path).read_text()


def test_a_supervisor_that_hangs_is_overtaken_and_its_child_killed(installation: Installation):
    installation.worker(concurrency=1)
    job = enqueued("count")
    attempt = running(job, rows=3)
    os.kill(attempt.supervisor_pid, signal.SIGSTOP)
    until(lambda: reaper.reap() or attempts(job)[0] == "lost", "its beat is stale", seconds=15)
    assert gone(attempt)
    assert "Nothing was heard of it" in job.attempts.get(number=1).error


def test_a_busy_worker_still_reaps(installation: Installation):
    """All its slots supervise, so the reaper's own message waits; those who supervise reap in its place."""
    installation.worker(concurrency=1)
    long = enqueued("stops_at_a_safe_point")
    running(long)
    other = enqueued("quick")
    Attempt.objects.filter(job=other).update(sent_at=None)
    until(lambda: other.attempts.get().sent_at is not None, "its message was sent again", seconds=5)


def test_nobody_who_asks_waits_for_a_broker_that_does_not_answer(installation: Installation, tmp_path):
    """The socket takes connections and then says nothing, which is worse than refusing them."""
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        current_app.conf.broker_url = f"redis+socket://{path}"
        current_app.amqp._producer_pool = None
        current_app._pool = None
        began = time.monotonic()
        asked = threading.Thread(target=lambda: (enqueued("quick"), connections.close_all()))
        asked.start()
        asked.join(timeout=20)
        assert not asked.is_alive()
        assert time.monotonic() - began < 8
        assert Job.objects.get().attempts.get().sent_at is None
