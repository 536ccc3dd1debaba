"""Starting training runs, carrying on with them, and repeating them. The work itself is in training.work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from pydantic import ValidationError as PydanticError

from annotation.models import Dataset, User
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.models import Job
from judging.backends.checkpoints import check_folder, folder_of
from training.artifacts import run_folder, snapshot_folder
from training.models import Snapshot, TrainingRun
from training.script.config import Examination, Hyperparameters, RunConfig
from training.script.saved import WEIGHTS, step_folder
from training.snapshots import HELD_OUT, TRAIN

WORK = "training.work.train"
DRY_STEPS = 2
MOST_DEVICES = 64


class TrainingError(Exception):
    """The run cannot be started or carried on with; the text says why and what to do."""


def start_training(
    *,
    name: str,
    snapshot: Snapshot,
    base_model: str,
    revision: str = "",
    hyperparameters: Mapping[str, Any] | Hyperparameters | None = None,
    devices: int = 1,
    test_sets: Sequence[Dataset] = (),
    dry: bool = False,
    notes: str = "",
    tags: Sequence[str] = (),
    repeats: TrainingRun | None = None,
    created_by: User | None = None,
    send: bool = True,
) -> TrainingRun:
    """Freeze what is asked for, queue the job and return the run. Raises ValidationError by field.

    With `send=False` no worker is told: the caller runs the job itself (jobs.running.run_here).
    """
    given = read_hyperparameters(hyperparameters or {})
    check_asked(snapshot=snapshot, base_model=base_model, revision=revision, devices=devices, test_sets=test_sets)
    run = TrainingRun(
        name=name.strip(),
        purpose=snapshot.purpose,
        snapshot=snapshot,
        base_model=base_model.strip(),
        revision=revision.strip(),
        hyperparameters=given.model_dump(),
        devices=devices,
        dry=dry,
        notes=notes,
        tags=list(tags),
        repeats=repeats,
        created_by=created_by,
    )
    run.clean_fields(exclude={"found", "stored", "job", "created_by", "code"})
    with transaction.atomic():
        run.save()
        run.test_sets.set(test_sets)
        _enqueue(run, created_by=created_by, send=send)
    return run


def read_hyperparameters(given: Mapping[str, Any] | Hyperparameters) -> Hyperparameters:
    """Raises ValidationError by field: the name of the hyperparameter, as lora.rank, and what may stand there."""
    if isinstance(given, Hyperparameters):
        return given
    try:
        return Hyperparameters.model_validate(dict(given))
    except PydanticError as error:
        raise ValidationError(errors_of(error)) from error


def errors_of(error: PydanticError) -> dict[str, list[str]]:
    """Pydantic's words by field; what concerns several fields stands under hyperparameters."""
    found: dict[str, list[str]] = {}
    for each in error.errors():
        field = ".".join(map(str, each["loc"])) or "hyperparameters"
        words = str(each["ctx"]["error"]) if each["type"] == "value_error" else each["msg"]
        if each["type"] == "extra_forbidden":
            known = ", ".join(Hyperparameters.model_fields)
            words = f"There is no such hyperparameter. There are: {known}."
        found.setdefault(field, []).append(words)
    return found


def check_asked(
    *, snapshot: Snapshot, base_model: str, revision: str, devices: int, test_sets: Sequence[Dataset]
) -> None:
    """Whether a run of these can be started. Raises ValidationError by field."""
    if not snapshot.is_whole:
        raise ValidationError({"snapshot": f"{snapshot} is not made yet. Wait for its job, or see why it failed."})
    if not 1 <= devices <= MOST_DEVICES:
        raise ValidationError({"devices": f"Between 1 and {MOST_DEVICES} devices."})
    if snapshot.purpose == Snapshot.Purpose.CANDIDATE and test_sets:
        raise ValidationError({"test_sets": "A candidate gives no verdicts: leave the test sets out."})
    empty = next((each for each in test_sets if not each.pairs.exists()), None)
    if empty:
        raise ValidationError({"test_sets": f"{empty} has no pairs to ask about."})
    if not base_model.strip():
        raise ValidationError({"base_model": "Name the folder of the model to begin with, or its hub id."})
    folder = folder_of(base_model.strip())
    if folder is None:
        return
    if revision:
        raise ValidationError({"revision": "A folder has no revision: leave this empty."})
    # The workers may be on another machine, so only a folder that is here can be found wanting here.
    if folder.exists():
        try:
            check_folder(folder)
        except PermanentError as error:
            raise ValidationError({"base_model": str(error)}) from error


def config_of(run: TrainingRun, *, examinations: Sequence[Examination] = ()) -> RunConfig:
    """What the run's processes read."""
    folder = snapshot_folder(run.snapshot_id)
    return RunConfig(
        purpose=run.purpose,  # type: ignore[arg-type]
        base_model=str(folder_of(run.base_model) or run.base_model),
        revision=run.revision,
        snapshot=str(folder / TRAIN),
        snapshot_sha256=run.snapshot.sha256,
        held_out=str(folder / HELD_OUT) if run.snapshot.held_out_count else None,
        examinations=list(examinations),
        hyperparameters=Hyperparameters.model_validate(run.hyperparameters),
        devices=run.devices,
        dry_steps=DRY_STEPS if run.dry else 0,
    )


def continue_training(*, run: TrainingRun, created_by: User | None = None, send: bool = True) -> TrainingRun:
    """Go on from the newest checkpoint of a run that failed or was cancelled. Raises TrainingError."""
    with transaction.atomic():
        locked = TrainingRun.objects.select_for_update(of=("self",)).select_related("job").get(pk=run.pk)
        assert locked.job is not None
        if locked.job.is_live:
            raise TrainingError("The run is under way.")
        if locked.job.state == Job.State.SUCCEEDED:
            raise TrainingError("The run is done. Clone it to train further or otherwise.")
        if not send:
            _enqueue(locked, created_by=created_by, send=False)
        elif not lifecycle.requeue(job=locked.job):
            raise TrainingError("The run is under way.")
    return locked


def repeat(*, run: TrainingRun, created_by: User | None = None, send: bool = True) -> TrainingRun:
    """The same run anew: on the same hardware its losses are the same. Raises ValidationError."""
    if run.dry:
        raise ValidationError("A measurement has no losses that a repetition could give again: clone it instead.")
    return start_training(
        name=f"{run.name}, again",
        snapshot=run.snapshot,
        base_model=run.base_model,
        revision=run.revision,
        hyperparameters=run.hyperparameters,
        devices=run.devices,
        test_sets=list(run.test_sets.all()),
        repeats=run,
        created_by=created_by,
        send=send,
    )


def weights_folder(run: TrainingRun, step: int) -> Path:
    return step_folder(run_folder(run.pk), step) / WEIGHTS


def _enqueue(run: TrainingRun, *, created_by: User | None, send: bool) -> None:
    run.job = lifecycle.enqueue(
        kind=WORK,
        title=f"{'Measure' if run.dry else 'Train'} {run.name}",
        subject_id=run.pk,
        queue=Job.Queue.GPU,
        created_by=created_by,
        send=send,
    )
    run.save(update_fields=["job"])
