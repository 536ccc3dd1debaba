"""How a run stands, over all its workers: one state, one progress, and what may be done about it."""

from dataclasses import dataclass

from jobs.models import Attempt, Job
from judging.backends.purse import SPENT
from judging.models import JudgeRun
from judging.runs.crews import helpers_of


@dataclass(frozen=True)
class Worker:
    """job: what it does. attempt: its latest. number: 1 is the run's own job."""

    number: int
    job: Job
    attempt: Attempt | None

    @property
    def devices(self) -> list[str]:
        return [lease.device for lease in self.attempt.leases.all()] if self.attempt else []

    @property
    def was_not_needed(self) -> bool:
        return self.job.state == Job.State.CANCELLED and self.job.started_at is None


@dataclass(frozen=True)
class RunState:
    """word: as people call it. speaker: the job that tells how far the run is."""

    word: str
    speaker: Job
    workers: list[Worker]
    is_live: bool
    is_paused: bool

    @property
    def may_pause(self) -> bool:
        return self.is_live and self.speaker.state != Job.State.CANCELLING

    @property
    def may_go_on(self) -> bool:
        return not self.is_live and self.speaker.state != Job.State.SUCCEEDED


def state_of(run: JudgeRun) -> RunState | None:
    """None where the verdicts were imported."""
    if run.job is None:
        return None
    helpers = list(helpers_of(run).order_by("-pk")[: run.workers - 1])[::-1] if run.workers > 1 else []
    jobs = [run.job, *helpers]
    latest = Attempt.objects.filter(job__in=jobs).prefetch_related("leases").order_by("number")
    attempts = {attempt.job_id: attempt for attempt in latest}
    # Whoever does the work knows best: the run's own job may be waiting for a worker, or for a device.
    running = [job for job in jobs if job.state == Job.State.RUNNING and run.job.is_live]
    speaker = max(running, key=lambda job: (job.total is not None, job.done, job == run.job), default=run.job)
    if run.job.state == Job.State.CANCELLING:
        speaker = run.job
    paused = is_paused(run.job)
    return RunState(
        word=_word(run.job, speaker, paused=paused),
        speaker=speaker,
        workers=[Worker(n, job, attempts.get(job.pk)) for n, job in enumerate(jobs, 1)],
        is_live=run.job.is_live,
        is_paused=paused,
    )


def is_paused(job: Job) -> bool:
    """By a person, or because its budget is spent."""
    return job.state == Job.State.CANCELLED or (job.state == Job.State.FAILED and job.error == SPENT)


def _word(job: Job, speaker: Job, *, paused: bool) -> str:
    if paused:
        return "Paused"
    return "Pausing" if job.state == Job.State.CANCELLING else str(speaker.get_state_display())
