"""The workers of a run (jobs.crews): what is numbered are the pairs of its dataset."""

from annotation.models import Dataset
from jobs import crews
from jobs.models import Job, JobQuerySet
from jobs.running import Running
from judging.models import JudgeRun

HELP = "judging.work.help_run"


class RunCrew(crews.Crew):
    """One worker among those of a run."""

    def __init__(self, running: Running, run: JudgeRun):
        super().__init__(running, owner=run, leader=run.job_id, workers=run.workers)
        self.run = run


def helpers_of(run: JudgeRun) -> JobQuerySet:
    """The jobs of its further workers, those of earlier times as well."""
    return crews.helpers(kind=HELP, subject_id=run.pk)


def helpers_at(dataset: Dataset) -> JobQuerySet:
    """Those of all runs over it."""
    return Job.objects.filter(kind=HELP, subject_id__in=JudgeRun.objects.filter(dataset=dataset).values("pk"))


def call_helpers(run: JudgeRun) -> None:
    assert run.job is not None
    crews.call_helpers(owner=run, leader=run.job, kind=HELP, workers=run.workers)
