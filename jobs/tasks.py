"""The doors through which Celery comes in."""

from celery import shared_task
from celery.signals import worker_process_init, worker_ready, worker_shutting_down

from jobs import logs, messages, reaper, supervise
from jobs.parents import die_with_parent


@shared_task(name=messages.ATTEMPT_TASK)
def attempt(attempt_id: int) -> None:
    supervise.supervise(attempt_id=attempt_id)


@shared_task(name="jobs.reap")
def reap() -> None:
    reaper.reap()


@shared_task(name="jobs.delete_old_logs")
def delete_old_logs() -> None:
    logs.delete_old_logs()


@worker_ready.connect
def delete_old_logs_at_start(**_: object) -> None:
    """Logs lie on the machine of the worker, and beat's message reaches only one."""
    logs.delete_old_logs()


@worker_ready.connect
def reap_at_start(**_: object) -> None:
    """What was interrupted by a crash goes on now, not when the schedule next says so."""
    reap.apply_async(expires=60)


@worker_process_init.connect
def end_with_the_worker(**_: object) -> None:
    """A worker that is killed leaves no pool process behind, nor what that supervises."""
    die_with_parent()


@worker_shutting_down.connect
def stop_attempts(**_: object) -> None:
    supervise.stop_all()
