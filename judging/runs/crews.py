"""Several workers at one run: who takes which pairs, whether all is done, and whether the run goes on at all.

A run is its own job's; that one is its first worker, and its state is the run's. Further workers are jobs of their own,
with attempts, beats and devices of their own, and end with it. Pairs are handed out in chunks by the database, to one
worker after the other. A chunk is its attempt's for as long as that runs; when it has ended, however it ended, nothing
of it writes any more (jobs.lifecycle), and the chunk is taken by another, who asks what has no verdict.
"""

import time
from collections.abc import Callable, Iterable

from django.db.models import QuerySet

from annotation.models import Dataset
from jobs import lifecycle
from jobs.models import Attempt, Job, JobQuerySet
from jobs.running import Running
from judging.models import Chunk, JudgeRun

HELP = "judging.work.help_run"
MOST_WORKERS = 64
LOOK_SECONDS = 1.0
# Towards the end chunks become smaller, so that all workers end at about the same time: what is left is cut into so
# many for each (guided self-scheduling, Polychronopoulos and Kuck 1987).
SHARES = 2
SMALLEST = 16

Beyond = Callable[[int, int], list[int]]
"""(after, limit): numbers of the pairs behind that one, in order, at most so many"""


class RunIsOver(Exception):
    """The run's own job is over or being cancelled, so there is nothing to help with."""


class Crew:
    """One worker among those of a run."""

    def __init__(self, running: Running, run: JudgeRun):
        self.running, self.run = running, run
        self.is_helper = run.job_id != running.job_id
        self._looked_at = float("-inf")

    @property
    def is_alone(self) -> bool:
        return self.run.workers == 1

    def take(self, stage: str, beyond: Beyond, *, size: int) -> Chunk | None:
        """A chunk of about so many pairs that nobody else has, or None if there is none at the moment.

        Raises StaleAttempt and RunIsOver.
        """
        with self.running.writing():
            # One worker after the other.
            JudgeRun.objects.select_for_update(no_key=True).only("pk").get(pk=self.run.pk)
            self._check_run()
            return self._take_over(stage) or self._take_next(stage, beyond, size)

    def finds_work(self, stage: str, beyond: Beyond) -> bool:
        """Whether there is something to take now; it may be gone when it is asked for."""
        return self._left_behind(stage).exists() or bool(beyond(self._frontier(stage), 1))

    def finish(self, chunks: Iterable[Chunk]) -> None:
        """All of them is saved. To be called in the transaction that saves."""
        done = [chunk.pk for chunk in chunks]
        if done:
            Chunk.objects.filter(pk__in=done, attempt=self.running.attempt_id).update(done=True)

    def all_done(self, stage: str) -> bool:
        """Whether nobody is at any chunk that was taken."""
        return not Chunk.objects.filter(run=self.run, stage=stage, done=False).exists()

    def wait(self) -> None:
        """For the others: a moment. Raises what `check` raises."""
        time.sleep(LOOK_SECONDS)
        self.check()

    def check(self) -> None:
        """A safe point. Raises Cancelled, StaleAttempt and RunIsOver."""
        self.running.check()
        now = time.monotonic()
        if self.is_helper and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._check_run()

    def _check_run(self) -> None:
        goes_on = [Job.State.QUEUED, Job.State.RUNNING]
        if self.is_helper and not JudgeRun.objects.filter(pk=self.run.pk, job__state__in=goes_on).exists():
            raise RunIsOver

    def _left_behind(self, stage: str) -> QuerySet[Chunk]:
        """By attempts that have ended."""
        open_ones = Chunk.objects.filter(run=self.run, stage=stage, done=False)
        return open_ones.exclude(attempt__state=Attempt.State.RUNNING)

    def _take_over(self, stage: str) -> Chunk | None:
        chunk = self._left_behind(stage).order_by("first_pair").first()
        if chunk is not None:
            chunk.attempt_id = self.running.attempt_id
            chunk.save(update_fields=["attempt"])
        return chunk

    def _take_next(self, stage: str, beyond: Beyond, size: int) -> Chunk | None:
        shares = 1 if self.is_alone else SHARES * self.run.workers
        pairs = beyond(self._frontier(stage), size * shares)
        if not pairs:
            return None
        n = min(size, max(SMALLEST, len(pairs) // shares), len(pairs))
        return Chunk.objects.create(
            run=self.run,
            stage=stage,
            first_pair=pairs[0],
            last_pair=pairs[n - 1],
            attempt_id=self.running.attempt_id,
        )

    def _frontier(self, stage: str) -> int:
        """The last pair that was ever taken; 0 if none was."""
        taken = Chunk.objects.filter(run=self.run, stage=stage).order_by("-last_pair")
        return taken.values_list("last_pair", flat=True).first() or 0


def helpers_of(run: JudgeRun) -> JobQuerySet:
    """The jobs of its further workers, those of earlier times as well."""
    return Job.objects.filter(kind=HELP, subject_id=run.pk).order_by("pk")


def helpers_at(dataset: Dataset) -> JobQuerySet:
    """Those of all runs over it."""
    return Job.objects.filter(kind=HELP, subject_id__in=JudgeRun.objects.filter(dataset=dataset).values("pk"))


def call_helpers(run: JudgeRun) -> None:
    """Begin anew with handing out chunks, to as many workers as the run is to have. Nobody may be at it."""
    Chunk.objects.filter(run=run).delete()
    assert run.job is not None
    for number in range(2, run.workers + 1):
        lifecycle.enqueue(
            kind=HELP,
            title=f"{run.judge} judges {run.dataset}, worker {number}",
            subject_id=run.pk,
            queue=run.job.queue,
            created_by=run.job.created_by,
        )


def dismiss_helpers(run: JudgeRun) -> None:
    """Those whom no worker took yet are not needed any more."""
    for job in helpers_of(run).filter(state=Job.State.QUEUED):
        lifecycle.cancel(job=job)


def stop_helpers(run: JudgeRun) -> None:
    for job in helpers_of(run).live():
        lifecycle.cancel(job=job)
