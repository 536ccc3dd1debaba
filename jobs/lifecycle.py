"""What happens to a job, from being asked for to its end. Nothing else changes the state of a job or an attempt.

The number of the current attempt is the fencing token: a change is made only while the attempt that asks for it is
still the current one, and before a next attempt begins, the job's row is locked against the writes of the last one
(`Running.writing` holds a key-share lock on it for as long as its transaction is open).
"""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from jobs import messages
from jobs.errors import StaleAttempt
from jobs.models import Attempt, Job, Person
from jobs.processes import Holder

ERROR_LIMIT = 20_000


def enqueue(
    *,
    kind: str,
    title: str,
    subject_id: int,
    queue: str = Job.Queue.DEFAULT,
    created_by: Person | None = None,
    max_attempts: int = 3,
    send: bool = True,
) -> Job:
    """Ask for work. The message to the workers goes out when the transaction commits.

    `kind` is the dotted name of a function `work(running: Running) -> None` that carries on from what it has saved.
    `send=False` is for a caller that calls `run_here` next; if it does not come to that, a worker takes over later.
    """
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind,
            title=title[: Job._meta.get_field("title").max_length],
            subject_id=subject_id,
            queue=queue,
            created_by=created_by,
            max_attempts=max_attempts,
            last_attempt=max_attempts,
        )
        _queue_attempt(job, number=1, send=send)
    return job


def enqueue_once(*, kind: str, title: str, subject_id: int, queue: str = Job.Queue.DEFAULT, created_by: Person) -> Job:
    """Ask for work unless it is under way: the job that does it. Lock the subject's row before."""
    under_way = Job.objects.live().latest_about(kind, [subject_id]).get(subject_id)
    return under_way or enqueue(kind=kind, title=title, subject_id=subject_id, queue=queue, created_by=created_by)


def claim(*, attempt_id: int, holder: Holder) -> Attempt | None:
    """Take a queued attempt, or None if somebody else has it, or it is over, cancelled or overtaken."""
    attempt = Attempt.objects.filter(pk=attempt_id).first()
    if attempt is None:
        return None
    with transaction.atomic():
        current = Job.objects.filter(pk=attempt.job_id, state=Job.State.QUEUED, attempt_number=attempt.number)
        if not current.update(state=Job.State.RUNNING, started_at=Coalesce("started_at", Now())):
            return None
        Attempt.objects.filter(pk=attempt_id, state=Attempt.State.QUEUED).update(
            state=Attempt.State.RUNNING,
            started_at=Now(),
            beat_at=Now(),
            host=holder.host,
            boot_id=holder.boot_id,
            supervisor_pid=holder.pid,
            supervisor_started=holder.started,
            log_path=f"jobs/{attempt.job_id}/{attempt.number}.log",
        )
    return Attempt.objects.select_related("job").get(pk=attempt_id)


def note_child(*, attempt: Attempt, pid: int, started: int | None) -> None:
    """Keep which process does the work. Raises StaleAttempt."""
    _update_running(attempt, pid=pid, pid_started=started)


def beat(*, attempt: Attempt) -> bool:
    """Say that the attempt is being looked after. True if its job is to be cancelled. Raises StaleAttempt."""
    _update_running(attempt, beat_at=Now())
    return Job.objects.filter(pk=attempt.job_id, state=Job.State.CANCELLING).exists()


def succeed(*, attempt: Attempt, exit_code: int | None = 0) -> bool:
    """The work is done. Here and below: False if the attempt was not the current one any more; then nothing changes."""
    with transaction.atomic():
        job = _settle(attempt, Attempt.State.SUCCEEDED, exit_code=exit_code)
        return job is not None and _close(job, Job.State.SUCCEEDED)


def end_cancelled(*, attempt: Attempt, exit_code: int | None = None) -> bool:
    """The work stopped because somebody cancelled it."""
    with transaction.atomic():
        job = _settle(attempt, Attempt.State.CANCELLED, exit_code=exit_code)
        return job is not None and _close(job, Job.State.CANCELLED)


def fail(*, attempt: Attempt, summary: str, error: str, permanent: bool = False, exit_code: int | None = None) -> bool:
    """The work raised. `summary` is for the person, `error` (a traceback) for whoever mends it."""
    with transaction.atomic():
        job = _settle(attempt, Attempt.State.FAILED, error=error, exit_code=exit_code)
        return job is not None and _go_on(job, summary=summary, permanent=permanent, delay=_backoff(job))


def lose(
    *, attempt: Attempt, error: str, exit_code: int | None = None, wait: bool = True, at_once: bool = False
) -> bool:
    """The attempt ended without a word: killed, or its machine is away.

    `wait=False` gives up (False) where a write of the attempt is still open in the database: then it is not lost.
    """
    with transaction.atomic():
        job = _settle(attempt, Attempt.State.LOST, error=error, exit_code=exit_code, wait=wait)
        if job is None:
            return False
        return _go_on(job, summary=error, permanent=False, delay=timedelta(0) if at_once else _backoff(job))


def stop(*, attempt: Attempt, exit_code: int | None = None) -> bool:
    """The worker is being stopped. That is nobody's failure, so the next attempt does not count against the limit."""
    with transaction.atomic():
        job = _settle(attempt, Attempt.State.STOPPED, exit_code=exit_code)
        if job is None:
            return False
        job.last_attempt += 1
        return _go_on(job, summary="", permanent=False, delay=timedelta(0))


def cancel(*, job: Job) -> bool:
    """Cancel a queued job at once, have a running one stop at its next safe point. False if it was over already."""
    with transaction.atomic():
        # The lock leaves room for writes of the attempt, so that a person who cancels never waits for them.
        locked = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
        if locked.state == Job.State.QUEUED:
            locked.attempts.filter(state=Attempt.State.QUEUED).update(state=Attempt.State.CANCELLED, finished_at=Now())
            return _close(locked, Job.State.CANCELLED)
        if locked.state == Job.State.RUNNING:
            Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLING)
        return locked.is_live


def requeue(*, job: Job) -> bool:
    """Try a failed or cancelled job again, from what it has saved, with as many attempts as it had at first."""
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.state not in {Job.State.FAILED, Job.State.CANCELLED}:
            return False
        locked.last_attempt = locked.attempt_number + locked.max_attempts
        _queue_next(locked, delay=timedelta(0))
        return True


def _update_running(attempt: Attempt, **values: object) -> None:
    if not Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.RUNNING).update(**values):
        raise StaleAttempt(f"{attempt} is not running any more.")


def _settle(
    attempt: Attempt, state: str, *, error: str = "", exit_code: int | None = None, wait: bool = True
) -> Job | None:
    """End the attempt and return its job, locked; None if it is not the one that runs."""
    job = (
        Job.objects.select_for_update(skip_locked=not wait)
        .filter(pk=attempt.job_id, attempt_number=attempt.number, state__in=[Job.State.RUNNING, Job.State.CANCELLING])
        .first()
    )
    if job is None:
        return None
    Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.RUNNING).update(
        state=state, error=_cut(error), exit_code=exit_code, finished_at=Now()
    )
    return job


def _go_on(job: Job, *, summary: str, permanent: bool, delay: timedelta) -> bool:
    """After an attempt that did not succeed: the end, or the next attempt."""
    if job.state == Job.State.CANCELLING:
        return _close(job, Job.State.CANCELLED)
    if permanent:
        return _close(job, Job.State.FAILED, error=summary)
    if job.attempt_number >= job.last_attempt:
        tried = f"It was tried {job.max_attempts} times. The last time: " if job.max_attempts > 1 else ""
        return _close(job, Job.State.FAILED, error=f"{tried}{summary}")
    return _queue_next(job, delay=delay)


def _close(job: Job, state: str, *, error: str = "") -> bool:
    Job.objects.filter(pk=job.pk).update(state=state, error=_cut(error), rate=None, finished_at=Now())
    return True


def _queue_next(job: Job, *, delay: timedelta) -> bool:
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.QUEUED,
        attempt_number=F("attempt_number") + 1,
        last_attempt=job.last_attempt,
        rate=None,
        error="",
        finished_at=None,
    )
    _queue_attempt(job, number=job.attempt_number + 1, delay=delay)
    return True


def _queue_attempt(job: Job, *, number: int, delay: timedelta = timedelta(0), send: bool = True) -> None:
    """A later attempt is sent by the reaper when it is due."""
    attempt = Attempt.objects.create(job=job, number=number, due_at=timezone.now() + delay)
    if send and not delay:
        transaction.on_commit(partial(messages.send, attempt_id=attempt.pk, queue=job.queue))


def _backoff(job: Job) -> timedelta:
    """What failed once may be well in a moment (a database that restarts), what failed twice needs longer."""
    tries = job.max_attempts - (job.last_attempt - job.attempt_number)
    return timedelta(seconds=settings.JOB_RETRY_SECONDS * 4 ** max(0, tries - 1))


def _cut(text: str) -> str:
    """The end of a traceback says what happened. PostgreSQL takes no NUL."""
    return text.replace("\0", "")[-ERROR_LIMIT:]
