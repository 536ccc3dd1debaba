"""What nobody looks after any more: attempts without a supervisor, messages that were lost, processes left behind."""

import logging
from collections import defaultdict
from datetime import timedelta

from django.conf import settings

from jobs import lifecycle, messages, processes
from jobs.models import Attempt

logger = logging.getLogger(__name__)


def reap() -> None:
    """One round: end what is dead, send what was not sent, kill what was left behind on this machine.

    Any number of reapers may run at the same time; each change is conditional.
    """
    running = Attempt.objects.running_or_stale(stale_after=timedelta(seconds=settings.JOB_STALE_SECONDS))
    running.doubt()
    for attempt in running:
        if why := _dead(attempt):
            _end(attempt, why)
    for attempt_id, queue in Attempt.objects.unsent().values_list("pk", "job__queue"):
        messages.send(attempt_id=attempt_id, queue=queue)
    sweep()


def sweep() -> None:
    """Kill the processes on this machine of attempts that are over.

    They remain when a supervisor was killed: the kernel ends the child with it, but not the child's own children.
    """
    found = defaultdict(list)
    for pid, attempt_id in processes.marked():
        found[attempt_id].append(pid)
    if not found:
        return
    running = Attempt.objects.filter(pk__in=found, state=Attempt.State.RUNNING).values_list("pk", flat=True)
    for attempt_id in found.keys() - set(running):
        logger.warning("Killing processes %s, left behind by attempt %s.", found[attempt_id], attempt_id)
        processes.Tree(attempt_id, leader=None, leader_started=None).kill()


def _dead(attempt: Attempt) -> str:
    """Why nobody looks after it, or "" if somebody does.

    Where its processes can be seen, a supervisor that is gone is enough, and no time is lost. Elsewhere, and where it
    hangs, only a beat that is overdue tells, and was overdue some beats ago too: a clock may jump.
    """
    if _is_here(attempt) and not processes.lives(pid=attempt.supervisor_pid, since=attempt.supervisor_started):
        return "Its worker was killed or the machine went down."
    if attempt.is_silent:
        return f"Nothing was heard of it on {attempt.host} for {settings.JOB_STALE_SECONDS:g} s."
    return ""


def _end(attempt: Attempt, why: str) -> None:
    tree = processes.Tree(attempt.pk, leader=attempt.pid, leader_started=attempt.pid_started)
    if _is_here(attempt) and not tree.kill():
        logger.error("%s: processes do not die; they may hang in a driver or on a disk.", attempt)
        return
    if lifecycle.lose(attempt=attempt, error=why, wait=False, at_once=True):
        logger.warning("%s was lost: %s", attempt, why)


def _is_here(attempt: Attempt) -> bool:
    return processes.is_here(host=attempt.host, boot=attempt.boot_id)
