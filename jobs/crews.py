"""Several workers at one piece of work: who takes what, whether all is done, and whether it goes on at all.

The work is its own job's; that one is its first worker, and its state is the work's. Further workers are jobs of their
own, with attempts, beats and devices of their own, and end with it. What there is to do has numbers, and is handed out
in chunks of them by the database, to one worker after the other. A chunk is its attempt's for as long as that runs;
when it has ended, however it ended, nothing of it writes any more (jobs.lifecycle), and the chunk is taken by another,
who does what of it is not done.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

from jobs import lifecycle
from jobs.models import AbstractChunk, Attempt, Job, JobQuerySet
from jobs.running import Running

MOST_WORKERS = 64
LOOK_SECONDS = 1.0
# Towards the end chunks become smaller, so that all workers end at about the same time: what is left is cut into so
# many for each (guided self-scheduling, Polychronopoulos and Kuck 1987).
SHARES = 2
SMALLEST = 16

Beyond = Callable[[int, int], list[int]]
"""(after, limit): numbers behind that one of what there is to do, in order, at most so many"""


class WorkIsOver(Exception):
    """The work's own job is over or being cancelled, so there is nothing to help with."""


class Crew:
    """One worker among those of a piece of work.

    owner: whose work it is; its chunks are `owner.chunks`, and its row is locked while one is handed out. leader: the
    work's own job. smallest: a chunk has no fewer numbers as long as there are as many.
    """

    def __init__(self, running: Running, *, owner: Any, leader: int | None, workers: int, smallest: int = SMALLEST):
        self.running, self.owner, self.workers, self.smallest = running, owner, workers, smallest
        self._leader = leader
        self.is_helper = leader != running.job_id
        self._looked_at = float("-inf")

    @property
    def is_alone(self) -> bool:
        return self.workers == 1

    def take(self, beyond: Beyond, *, size: int, **stage: object) -> Any:
        """A chunk of about so many that nobody else has, or None if there is none at the moment.

        stage: fields of the chunk, where the work has several rounds. Raises StaleAttempt and WorkIsOver.
        """
        with self.running.writing():
            # One worker after the other.
            type(self.owner)._default_manager.select_for_update(no_key=True).only("pk").get(pk=self.owner.pk)
            self._check_work()
            return self._take_over(stage) or self._take_next(stage, beyond, size)

    def finds_work(self, beyond: Beyond, **stage: object) -> bool:
        """Whether there is something to take now; it may be gone when it is asked for."""
        return self._left_behind(stage).exists() or bool(beyond(self._frontier(stage), 1))

    def finish(self, chunks: Iterable[AbstractChunk]) -> None:
        """All of them is saved. To be called in the transaction that saves."""
        done = [chunk.pk for chunk in chunks]
        if done:
            self.owner.chunks.filter(pk__in=done, attempt=self.running.attempt_id).update(done=True)

    def all_done(self, **stage: object) -> bool:
        """Whether nobody is at any chunk that was taken."""
        return not self.owner.chunks.filter(done=False, **stage).exists()

    def wait(self) -> None:
        """For the others: a moment. Raises what `check` raises."""
        time.sleep(LOOK_SECONDS)
        self.check()

    def check(self) -> None:
        """A safe point. Raises Cancelled, StaleAttempt and WorkIsOver."""
        self.running.check()
        now = time.monotonic()
        if self.is_helper and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._check_work()

    def _check_work(self) -> None:
        goes_on = [Job.State.QUEUED, Job.State.RUNNING]
        if self.is_helper and not Job.objects.filter(pk=self._leader, state__in=goes_on).exists():
            raise WorkIsOver

    def _left_behind(self, stage: dict[str, object]) -> models.QuerySet[Any]:
        """By attempts that have ended."""
        open_ones = self.owner.chunks.filter(done=False, **stage)
        return open_ones.exclude(attempt__state=Attempt.State.RUNNING)

    def _take_over(self, stage: dict[str, object]) -> Any:
        chunk = self._left_behind(stage).order_by("first").first()
        if chunk is not None:
            chunk.attempt_id = self.running.attempt_id
            chunk.save(update_fields=["attempt"])
        return chunk

    def _take_next(self, stage: dict[str, object], beyond: Beyond, size: int) -> Any:
        shares = 1 if self.is_alone else SHARES * self.workers
        found = beyond(self._frontier(stage), size * shares)
        if not found:
            return None
        n = min(size, max(self.smallest, len(found) // shares), len(found))
        return self.owner.chunks.create(first=found[0], last=found[n - 1], attempt_id=self.running.attempt_id, **stage)

    def _frontier(self, stage: dict[str, object]) -> int:
        """The last number that was ever taken; 0 if none was."""
        return self.owner.chunks.filter(**stage).order_by("-last").values_list("last", flat=True).first() or 0


def helpers(*, kind: str, subject_id: int) -> JobQuerySet:
    """The jobs of further workers, those of earlier times as well."""
    return Job.objects.filter(kind=kind, subject_id=subject_id).order_by("pk")


def call_helpers(*, owner: Any, leader: Job, kind: str, workers: int) -> None:
    """Begin anew with handing out chunks, to as many workers as there are to be. Nobody may be at it."""
    owner.chunks.all().delete()
    for number in range(2, workers + 1):
        lifecycle.enqueue(
            kind=kind,
            title=f"{leader.title}, worker {number}"[:300],
            subject_id=owner.pk,
            queue=leader.queue,
            created_by=leader.created_by,
        )


def dismiss(jobs: JobQuerySet) -> None:
    """Those helpers whom no worker took yet are not needed any more."""
    for job in jobs.filter(state=Job.State.QUEUED):
        lifecycle.cancel(job=job)


def stop(jobs: JobQuerySet) -> None:
    for job in jobs.live():
        lifecycle.cancel(job=job)


def stop_leftovers(jobs: JobQuerySet, *, leader: int | None) -> None:
    """Stop helpers of work whose own job is over.

    To be called before the transaction that begins anew, and refuses where one is still saving: what is refused is
    taken back, and with it would be the cancel.
    """
    if not Job.objects.live().filter(pk=leader).exists():
        stop(jobs)
