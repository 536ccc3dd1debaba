"""What a work function is given, and running a job in this very process for a management command."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from jobs import lifecycle, processes
from jobs.errors import Cancelled, PermanentError, StaleAttempt, advice, as_traceback
from jobs.models import Attempt, Job
from jobs.progress import RateMeter

logger = logging.getLogger(__name__)

REPORT = """
    UPDATE jobs_job SET done = %s, total = %s, phase = %s, rate = %s, progress_at = statement_timestamp()
    WHERE id = %s AND attempt_number = %s AND state IN ('running', 'cancelling') RETURNING state
"""
LOOK = "SELECT state FROM jobs_job WHERE id = %s AND attempt_number = %s AND state IN ('running', 'cancelling')"
# Held until the writes commit. It lets beats, progress and a cancel through, and keeps the next attempt waiting.
FENCE = f"{LOOK} FOR KEY SHARE"


class Running:
    """A job as its work sees it. Progress has a connection of its own, so it shows while a transaction is open."""

    def __init__(self, *, attempt: Attempt, side: BaseDatabaseWrapper, echo: Callable[[Job], None] | None = None):
        self.job_id = attempt.job_id
        self.attempt_id = attempt.pk
        self.subject_id = attempt.job.subject_id
        self.number = attempt.number
        self._job = attempt.job
        self._side = side
        self._echo = echo
        self._meter = RateMeter()
        self._told_at = self._looked_at = float("-inf")
        self._untold = False

    def progress(self, done: int, total: int | None = None, phase: str = "") -> None:
        """Tell how far the work is; cheap enough for every row. A safe point: raises Cancelled and StaleAttempt."""
        now = time.monotonic()
        turn = phase != self._job.phase
        self._job.done, self._job.total, self._job.phase = done, total, phase[:200]
        self._untold = True
        if turn or now - self._told_at >= settings.JOB_PROGRESS_SECONDS:
            self._meter.add(at=now, done=done, phase=phase)
            self.flush()

    def check(self) -> None:
        """A safe point without news: raises Cancelled if the job is being cancelled, StaleAttempt if overtaken."""
        now = time.monotonic()
        if now - self._looked_at >= settings.JOB_PROGRESS_SECONDS:
            self._looked_at = now
            self._act_on(self._ask(LOOK, []))

    def flush(self) -> None:
        """Write the last progress now."""
        if not self._untold:
            return
        self._told_at = self._looked_at = time.monotonic()
        self._job.rate = self._meter.rate
        state = self._ask(REPORT, [self._job.done, self._job.total, self._job.phase, self._job.rate])
        self._untold = False
        if self._echo:
            self._echo(self._job)
        self._act_on(state)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction in which this attempt is, and stays, the current one. All writes of the work go inside.

        Raises StaleAttempt if another attempt took over. A job that is being cancelled may still save what it has.
        """
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(FENCE, [self.job_id, self.number])
                if cursor.fetchone() is None:
                    raise StaleAttempt(f"Attempt {self.number} of job {self.job_id} was overtaken.")
            yield

    def _ask(self, sql: str, values: list[object]) -> str | None:
        """The job's state; "" if the database is away, for then the writes of the work will tell."""
        try:
            with self._side.cursor() as cursor:
                cursor.execute(sql, [*values, self.job_id, self.number])
                row = cursor.fetchone()
        except (OperationalError, InterfaceError) as error:
            if self._side is connection:
                raise
            logger.warning("Progress could not be written: %s", error)
            self._side.close()
            return ""
        return row[0] if row else None

    def _act_on(self, state: str | None) -> None:
        if state is None:
            raise StaleAttempt(f"Attempt {self.number} of job {self.job_id} was overtaken.")
        if state == Job.State.CANCELLING:
            raise Cancelled


@contextmanager
def side_connection() -> Iterator[BaseDatabaseWrapper]:
    """A second connection; inside a transaction the same one, since what is not committed shows on no other."""
    if connection.in_atomic_block:
        yield connection
        return
    side = connection.copy()
    try:
        yield side
    finally:
        side.close()


def perform(*, attempt: Attempt, echo: Callable[[Job], None] | None = None) -> None:
    """Do the work of a claimed attempt in this process. Raises whatever the work raises."""
    try:
        work = import_string(attempt.job.kind)
    except ImportError as error:
        raise PermanentError(f"This version of Tiebreak cannot do {attempt.job.kind}: {error}") from error
    with side_connection() as side:
        running = Running(attempt=attempt, side=side, echo=echo)
        work(running)
        try:
            running.flush()
        except Cancelled:
            logger.info("Cancelled too late: the work was done.")


def run_here(*, job: Job, out: TextIO | None = None) -> Job:
    """Run a queued job in this process, progress to stderr (or `out`), and return it when it has succeeded.

    Raises what the work raises, after recording it: nobody tries again by itself what a person started at a terminal.
    If a worker was quicker, follows the job there; raises PermanentError with the job's error if it fails.
    """
    echo = _Echo(out or sys.stderr)
    attempt_id = Attempt.objects.values_list("pk", flat=True).get(job=job, number=job.attempt_number)
    attempt = lifecycle.claim(attempt_id=attempt_id, holder=processes.this_process())
    if attempt is None:
        return _follow(job, echo)
    try:
        with _beating(attempt):
            perform(attempt=attempt, echo=echo)
    except (Cancelled, KeyboardInterrupt):
        lifecycle.cancel(job=job)
        lifecycle.end_cancelled(attempt=attempt)
        raise
    except StaleAttempt:
        raise
    except Exception as error:
        lifecycle.fail(attempt=attempt, summary=advice(error), error=as_traceback(error), permanent=True)
        raise
    finally:
        echo.end()
    lifecycle.succeed(attempt=attempt)
    job.refresh_from_db()
    return job


def _follow(job: Job, echo: "_Echo") -> Job:
    job.refresh_from_db()
    while job.is_live:
        echo(job)
        time.sleep(0.5)
        job.refresh_from_db()
    echo.end()
    if job.state == Job.State.CANCELLED:
        raise Cancelled
    if job.state == Job.State.FAILED:
        raise PermanentError(job.error)
    return job


@contextmanager
def _beating(attempt: Attempt) -> Iterator[None]:
    """Beat from a thread, for the work may be busy for longer than a stale beat."""
    over = threading.Event()

    def beats() -> None:
        try:
            while not over.wait(settings.JOB_BEAT_SECONDS):
                try:
                    lifecycle.beat(attempt=attempt)
                except (OperationalError, InterfaceError) as error:
                    logger.warning("The beat of %s could not be written: %s", attempt, error)
                    connections.close_all()
        except StaleAttempt:
            logger.warning("%s was overtaken.", attempt)
        finally:
            connections.close_all()

    thread = threading.Thread(target=beats, name=f"beat-{attempt.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Echo:
    """Progress for a person at a terminal: one line that changes there, a line now and then in a file."""

    def __init__(self, out: TextIO):
        self.out = out
        self.live = out.isatty()
        self.said_at = float("-inf")
        self.phase = ""
        self.said = ""

    def __call__(self, job: Job) -> None:
        now = time.monotonic()
        if job.phase == self.phase and now - self.said_at < (0.5 if self.live else 10):
            return
        self.said_at, self.phase = now, job.phase
        text = job.progress.in_one_line(job.phase)
        if text and text != self.said:
            self.out.write(f"\r\x1b[K{text}" if self.live else f"{text}\n")
            self.out.flush()
            self.said = text

    def end(self) -> None:
        if self.live and self.said:
            self.out.write("\n")
