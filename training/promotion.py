"""A finished checkpoint becomes a judge that is asked about the test sets, or a generator whose answers are stored."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from annotation.models import Dataset, Generator, User
from jobs import lifecycle
from jobs.crews import MOST_WORKERS, call_helpers, helpers, stop_leftovers
from jobs.models import Job, JobQuerySet
from judging import artifacts
from judging.judges import create_judge
from judging.models import Judge, JudgeRun
from judging.runs.starting import RunError, start_run
from training.models import Checkpoint, Snapshot
from training.runs import TrainingError, weights_folder

GENERATE = "training.generating.generate"
HELP_GENERATE = "training.generating.help_generate"
LONGEST_NAME = 100


def promote(*, checkpoint: Checkpoint, test_sets: Sequence[Dataset], by: User | None = None) -> Judge:
    """The judge of a checkpoint, made if it is not there, and its runs over these test sets in both orders.

    A run that is there already, or under way, is left alone. Raises TrainingError.
    """
    if checkpoint.run.purpose != Snapshot.Purpose.JUDGE:
        raise TrainingError("A candidate gives no verdicts. Have it answer a dataset's prompts instead.")
    folder = weights_folder(checkpoint.run, checkpoint.step)
    model = artifacts.model_name(folder, sha256=checkpoint.stored)
    with transaction.atomic():
        locked = Checkpoint.objects.select_for_update(of=("self",)).select_related("judge").get(pk=checkpoint.pk)
        judge = locked.judge
        if judge is None:
            try:
                judge = create_judge(
                    name=_free_name(checkpoint, Judge),
                    backend=Judge.Backend.TRANSFORMERS,
                    model=model,
                    created_by=by,
                )
            except ValidationError as error:
                raise TrainingError(" ".join(error.messages)) from error
            locked.judge = judge
            locked.save(update_fields=["judge"])
    for dataset in test_sets:
        if not JudgeRun.objects.filter(judge=judge, dataset=dataset).exists():
            try:
                start_run(judge=judge, dataset=dataset, order=JudgeRun.Order.BOTH, created_by=by)
            except RunError as error:
                raise TrainingError(str(error)) from error
    return judge


def helpers_of(checkpoint: Checkpoint) -> JobQuerySet:
    """The jobs of further workers of its answers, those of earlier times as well."""
    return helpers(kind=HELP_GENERATE, subject_id=checkpoint.pk)


def ask_for_answers(
    *, checkpoint: Checkpoint, dataset: Dataset, workers: int = 1, by: User | None = None, send: bool = True
) -> Job:
    """Have the checkpoint answer every prompt of the dataset, as a generator of its own. Raises TrainingError.

    What it has answered stays; a job that broke off, or came before prompts that are new, is followed by another. With
    `send=False` no worker is told of the job that is given back: the caller runs it itself. Of `workers` the further
    ones are workers' always.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise TrainingError(f"Answers are shared by 1 to {MOST_WORKERS} workers.")
    if checkpoint.run.purpose != Snapshot.Purpose.CANDIDATE:
        raise TrainingError("A judge writes verdicts. Make it a judge and run it instead.")
    at_it = helpers_of(checkpoint)
    leader = Checkpoint.objects.values_list("generating", flat=True).get(pk=checkpoint.pk)
    stop_leftovers(at_it, leader=leader)
    with transaction.atomic():
        locked = Checkpoint.objects.select_for_update(of=("self",)).select_related("generating", "generator")
        found = locked.get(pk=checkpoint.pk)
        if found.generating and found.generating.is_live:
            raise TrainingError("It is answering already.")
        if at_it.live().exists():
            raise TrainingError("A worker is still saving answers of before. Ask again in a moment.")
        if found.generator is None:
            found.generator = Generator.objects.create(name=_free_name(checkpoint, Generator))
        found.generating = lifecycle.enqueue(
            kind=GENERATE,
            title=f"{found.generator} answers {dataset}"[:300],
            subject_id=found.pk,
            queue=Job.Queue.GPU,
            created_by=by,
            send=send,
        )
        found.answers, found.workers = dataset, workers
        found.save(update_fields=["generator", "generating", "answers", "workers"])
        call_helpers(owner=found, leader=found.generating, kind=HELP_GENERATE, workers=workers)
    return found.generating


def _free_name(checkpoint: Checkpoint, model: type[Judge] | type[Generator]) -> str:
    """As the run is called, with the epoch; with the run's number where another has that name."""
    epoch = f", epoch {checkpoint.epoch}"
    name = f"{checkpoint.run.name[: LONGEST_NAME - len(epoch)]}{epoch}"
    if not model.objects.filter(name=name).exists():
        return name
    epoch = f" #{checkpoint.run_id}{epoch}"
    return f"{checkpoint.run.name[: LONGEST_NAME - len(epoch)]}{epoch}"
