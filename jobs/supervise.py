"""Looking after one attempt: the body of the Celery task.

The work itself runs in a child process with a session of its own, its output in a file. This process beats, passes on
a cancel, makes sure that nothing of the child's process tree remains, and only then writes down how it ended: the next
attempt never meets leftovers of the last.
"""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from ctypes import c_bool
from functools import partial
from multiprocessing.sharedctypes import RawValue
from typing import IO, Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from jobs import lifecycle, logs, processes, reaper
from jobs.errors import StaleAttempt, advice, as_traceback
from jobs.models import Attempt

logger = logging.getLogger(__name__)

# Shared with the pool's processes, which are forked after this module was imported.
_stopping = RawValue(c_bool, False)


def stop_all() -> None:
    """The worker is shutting down: its attempts are stopped, and go on when and where a worker takes them again."""
    _stopping.value = True


def supervise(*, attempt_id: int) -> None:
    """Run an attempt to its end. Does nothing if somebody else has it, or it is over."""
    attempt = lifecycle.claim(attempt_id=attempt_id, holder=processes.this_process())
    if attempt is None:
        logger.info("Attempt %s is not waiting any more.", attempt_id)
        return
    with _tolerating_the_database():
        reaper.sweep()
    with tempfile.TemporaryFile() as report:
        try:
            child = _start(attempt, report)
        except OSError as error:
            _insist(partial(lifecycle.fail, attempt=attempt, summary=advice(error), error=as_traceback(error)))
            return
        watch = Watch(attempt, child)
        try:
            watch.until_over()
        except BaseException:
            watch.tree.kill()
            raise
        _record(watch, _read(report))


class Watch:
    """The time between a child's start and the end of its whole process tree."""

    def __init__(self, attempt: Attempt, child: subprocess.Popen[bytes]):
        self.attempt = attempt
        self.child = child
        self.tree = processes.Tree(attempt.pk, leader=child.pid, leader_started=processes.started(child.pid))
        self.cancelling = False
        self.stopped = False
        self.overtaken = False
        self._cancel_seen_at: float | None = None
        self._term_sent_at: float | None = None
        self._beat_due_at = 0.0
        self._reap_due_at = time.monotonic() + settings.JOB_REAP_SECONDS

    def until_over(self) -> None:
        step = min(1.0, settings.JOB_BEAT_SECONDS)
        with closing(_ChildEnd(self.child)) as end:
            while not end.wait(step):
                self._look_after()
        # The child is dead but not yet waited for, so its id, and with it the session's, cannot be anybody else's.
        while not self.tree.kill():
            logger.error("%s: processes do not die; they may hang in a driver or on a disk.", self.attempt)
            self._look_after()
        self.child.wait()

    def _look_after(self) -> None:
        now = time.monotonic()
        with _tolerating_the_database():
            if now >= self._beat_due_at:
                self._beat_due_at = now + settings.JOB_BEAT_SECONDS
                self._beat(now)
                logs.keep_small(settings.TIEBREAK_HOME / self.attempt.log_path)
            # Every slot of every worker may be busy like this one, and then nobody takes the reaper's own message.
            if now >= self._reap_due_at:
                self._reap_due_at = now + settings.JOB_REAP_SECONDS
                reaper.reap()
        self._end_if_asked(now)

    def _beat(self, now: float) -> None:
        try:
            self.cancelling = lifecycle.beat(attempt=self.attempt)
        except StaleAttempt:
            logger.warning("%s was overtaken; its processes are killed.", self.attempt)
            self.overtaken = True
        if self.cancelling and self._cancel_seen_at is None:
            self._cancel_seen_at = now

    def _end_if_asked(self, now: float) -> None:
        """Flag, grace, TERM, KILL. What is overtaken has no time left at all."""
        if self.overtaken:
            self.tree.tell(signal.SIGKILL)
            return
        self.stopped = self.stopped or _stopping.value
        grace_over = self._cancel_seen_at is not None and now - self._cancel_seen_at >= settings.JOB_GRACE_SECONDS
        if self._term_sent_at is None and (self.stopped or grace_over):
            self.tree.tell(signal.SIGTERM)
            self._term_sent_at = now
        if self._term_sent_at is not None and now - self._term_sent_at >= settings.JOB_KILL_SECONDS:
            self.tree.tell(signal.SIGKILL)


class _ChildEnd:
    """Waits for a child without polling it."""

    def __init__(self, child: subprocess.Popen[bytes]):
        self._pidfd = os.pidfd_open(child.pid)
        self._poll = select.poll()
        self._poll.register(self._pidfd, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        return bool(self._poll.poll(seconds * 1000))

    def close(self) -> None:
        os.close(self._pidfd)


def _start(attempt: Attempt, report: IO[bytes]) -> subprocess.Popen[bytes]:
    path = settings.TIEBREAK_HOME / attempt.log_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "jobs.child", str(attempt.pk), str(os.getpid()), str(report.fileno())],
            cwd=settings.BASE_DIR,
            env=os.environ | {processes.MARK: processes.mark_of(attempt.pk), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[report.fileno()],
        )
    with _tolerating_the_database(), suppress(StaleAttempt):
        lifecycle.note_child(attempt=attempt, pid=child.pid, started=processes.started(child.pid))
    return child


def _read(report: IO[bytes]) -> dict[str, Any]:
    """What the child said about its end; empty if it was killed before it could, or in the middle of it."""
    report.seek(0)
    try:
        return json.loads(report.read() or b"{}")
    except json.JSONDecodeError:
        return {}


def _record(watch: Watch, said: dict[str, Any]) -> None:
    if watch.overtaken:
        return
    attempt, exit_code = watch.attempt, watch.child.returncode
    outcome = said.get("outcome")
    if outcome == "succeeded":
        _insist(partial(lifecycle.succeed, attempt=attempt, exit_code=exit_code))
    elif outcome == "cancelled" or watch.cancelling:
        _insist(partial(lifecycle.end_cancelled, attempt=attempt, exit_code=exit_code))
    elif watch.stopped:
        _insist(partial(lifecycle.stop, attempt=attempt, exit_code=exit_code), even_when_stopping=True)
    elif outcome == "failed":
        _insist(
            partial(
                lifecycle.fail,
                attempt=attempt,
                summary=said["summary"],
                error=said["error"],
                permanent=said["permanent"],
                exit_code=exit_code,
            )
        )
    else:
        _insist(partial(lifecycle.lose, attempt=attempt, error=_how_it_ended(exit_code), exit_code=exit_code))


def _how_it_ended(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return (
            "Its process was killed (SIGKILL). Most often the machine ran out of memory: "
            "look at the end of the log, and use a smaller batch or model, or a machine with more memory."
        )
    if exit_code < 0:
        return f"Its process was ended by {signal.Signals(-exit_code).name}. The end of the log may say why."
    return f"Its process ended with exit code {exit_code} without saying why. The end of the log may say more."


def _insist(change: Callable[[], bool], *, even_when_stopping: bool = False) -> None:
    """Write an ending down, however long the database is away, unless the worker has to go.

    Then the attempt is found without its supervisor, and carried on, by the reaper.
    """
    deadline = time.monotonic() + settings.JOB_KILL_SECONDS
    while True:
        try:
            change()
        except (OperationalError, InterfaceError):
            connections.close_all()
            if _stopping.value and not (even_when_stopping and time.monotonic() < deadline):
                raise
            logger.warning("The database is away; the end of an attempt is written when it is back.")
            time.sleep(1)
        else:
            return


class _tolerating_the_database:  # noqa: N801 - reads as a context manager
    """A beat that cannot be written is no reason to end work that may go on. Gives its connection back."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, OperationalError | InterfaceError):
            logger.warning("The database is away: %s", str(error).strip())
            connections.close_all()
            return True
        close_old_connections()
        return False
