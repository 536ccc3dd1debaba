"""What the pages of training show: curves, figures, estimates. Reads rows, changes none."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Sum

from jobs.models import Job
from jobs.progress import in_words
from judging.backends.checkpoints import folder_of
from judging.models import JudgeRun
from training.artifacts import run_folder
from training.curves import Curve, curve_chart
from training.estimates import Memory, disk_of, memory_of, operations_of, steps_of, tokens_of
from training.launching import command
from training.models import Checkpoint, Examination, StepMetric, TrainingRun
from training.promotion import helpers_of
from training.script.config import Hyperparameters, deepspeed_config
from training.shapes import NoShapeError, Shape, flops_of, shape_of

# Points of a curve; between them steps are averaged.
POINTS = 400
LATE_STEPS = 50
# Runs of other models that are looked at for how fast the device is.
OTHERS = 10


@dataclass(frozen=True)
class Figures:
    """Lately: of the last steps. Seconds in words; None where nothing is known yet."""

    step: int
    loss: float | None
    learning_rate: float | None
    gradient_norm: float | None
    tokens_a_second: float | None
    memory: int | None
    mfu: float | None
    trained: int
    took: str


def figures_of(run: TrainingRun) -> Figures:
    late = list(StepMetric.objects.filter(run=run).order_by("-step")[:LATE_STEPS])
    whole = StepMetric.objects.filter(run=run).aggregate(tokens=Sum("tokens"), seconds=Sum("seconds"))
    if not late:
        return Figures(0, None, None, None, None, None, None, 0, "")
    last, seconds = late[0], sum(step.seconds for step in late)
    return Figures(
        step=last.step,
        loss=last.loss,
        learning_rate=last.learning_rate,
        gradient_norm=last.gradient_norm,
        tokens_a_second=sum(step.tokens for step in late) / seconds if seconds else None,
        memory=last.memory,
        mfu=_mfu(run, late),
        trained=whole["tokens"],
        took=in_words(timedelta(seconds=whole["seconds"])),
    )


def _mfu(run: TrainingRun, steps: Sequence[StepMetric]) -> float | None:
    """The share of the devices' peak that the model's own operations took, where both are known here."""
    peak = run.found.get("started", {}).get("hardware", {}).get("peak")
    shape = shape_here(run.base_model)
    if not peak or shape is None:
        return None
    done = sum(
        flops_of(shape, tokens=step.tokens, squares=step.squares, answer_tokens=step.answer_tokens) for step in steps
    )
    return done / sum(step.seconds for step in steps) / peak / run.devices


def shape_here(base_model: str) -> Shape | None:
    """Of a folder that this machine sees; None for a hub id, or a folder of the workers alone."""
    folder = folder_of(base_model)
    if folder is None or not folder.is_dir():
        return None
    try:
        return shape_of(folder)
    except NoShapeError:
        return None


def curve_of(run: TrainingRun) -> Curve:
    rows = list(StepMetric.objects.filter(run=run).values_list("step", "loss", "learning_rate", "gradient_norm"))
    held_out = run.checkpoints.exclude(held_out_loss=None).values_list("step", "held_out_loss")
    return Curve(name=run.name, rows=_thinned(rows), held_out=list(held_out))


def _thinned(rows: list[tuple]) -> list[tuple[float, ...]]:
    """Means of neighbouring steps, so that there are POINTS of them at most."""
    size = -(-len(rows) // POINTS) or 1
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [
        tuple(sum(value or 0.0 for value in column) / len(group) for column in zip(*group, strict=True))
        for group in groups
    ]


def charts_of(runs: Sequence[TrainingRun]) -> list[tuple[str, dict[str, Any]]]:
    """(what it shows, figure) of the losses, rates and gradients of one run, or of several laid over each other."""
    curves = [curve_of(run) for run in runs]
    if not any(curve.rows for curve in curves):
        return []
    return [
        ("Loss", curve_chart(curves, 1, "loss", held_out=True)),
        ("Learning rate", curve_chart(curves, 2, "learning rate")),
        ("Gradient norm", curve_chart(curves, 3, "gradient norm")),
    ]


@dataclass(frozen=True)
class CheckpointReading:
    """helpers: the further workers of the answers that it wrote last."""

    checkpoint: Checkpoint
    examinations: list[Examination]
    runs: list[JudgeRun]
    helpers: list[Job]


def checkpoints_of(run: TrainingRun) -> list[CheckpointReading]:
    found = run.checkpoints.select_related("judge", "generator", "generating", "answers").prefetch_related(
        "examinations__dataset", "judge__runs__dataset", "judge__runs__job"
    )
    return [
        CheckpointReading(
            checkpoint,
            list(checkpoint.examinations.all()),
            list(checkpoint.judge.runs.all()) if checkpoint.judge else [],
            _helpers(checkpoint),
        )
        for checkpoint in found
    ]


def _helpers(checkpoint: Checkpoint) -> list[Job]:
    if checkpoint.generating_id is None or checkpoint.workers == 1:
        return []
    # Those of earlier answers were called before the job of these was.
    return list(helpers_of(checkpoint).filter(pk__gt=checkpoint.generating_id))


@dataclass(frozen=True)
class Estimate:
    """memory: bytes on each device, counted; measured: by a dry run of the same settings, if there was one.

    took: the time in words, and by: after what it was reckoned; both empty where nothing was run yet.
    """

    shape: Shape | None
    memory: Memory | None
    disk: int | None
    steps: int
    took: str
    by: str
    measured: TrainingRun | None
    command: str
    deepspeed: dict[str, object]


def estimate_of(*, base_model: str, hyperparameters: Hyperparameters, devices: int, samples: int) -> Estimate:
    """What a run would take, before it is started."""
    shape = shape_here(base_model)
    bf16 = hyperparameters.precision != "fp32"
    twin = _measured(base_model, hyperparameters, devices)
    seconds, by = _seconds(base_model, shape, hyperparameters, twin, devices=devices, samples=samples)
    return Estimate(
        shape=shape,
        memory=memory_of(shape, hyperparameters, devices=devices, bf16=bf16) if shape else None,
        disk=disk_of(shape, hyperparameters, bf16=bf16) if shape else None,
        steps=steps_of(samples, hyperparameters),
        took=in_words(timedelta(seconds=seconds)) if seconds else "",
        by=by,
        measured=twin,
        command=command_line(devices),
        deepspeed=deepspeed_config(hyperparameters, bf16=bf16),
    )


def command_line(devices: int, *, pk: int | None = None) -> str:
    numbers = [str(number) for number in range(devices)]
    folder = run_folder(pk or 0)
    shown = command(folder if pk else folder.with_name("RUN"), devices=numbers, wanted=devices, port=29500)
    return shlex.join(["python", *shown[1:]])


def _measured(base_model: str, hyperparameters: Hyperparameters, devices: int) -> TrainingRun | None:
    """The newest dry run whose memory would be the same."""
    names = ("optimizer", "piece_tokens", "max_length", "batching", "precision", "zero_stage", "offload")
    names += ("gradient_checkpointing", "fused_kernels")
    same = {f"hyperparameters__{name}": getattr(hyperparameters, name) for name in names}
    lora = hyperparameters.lora.model_dump() if hyperparameters.lora else None
    return TrainingRun.objects.filter(
        base_model=base_model, devices=devices, dry=True, found__has_key="dry", hyperparameters__lora=lora, **same
    ).first()


def _seconds(
    base_model: str,
    shape: Shape | None,
    given: Hyperparameters,
    twin: TrainingRun | None,
    *,
    devices: int,
    samples: int,
) -> tuple[float | None, str]:
    """How long all steps take, and after what: this model's newest run, its dry run, or another model's operations."""
    tokens = tokens_of(samples, given)
    stepped = TrainingRun.objects.filter(devices=devices).annotate(n=Count("steps")).filter(n__gt=2)
    if (run := stepped.filter(base_model=base_model).first()) and (late := _late(run)):
        return tokens * given.epochs / late["tokens"] * late["seconds"], "as the newest run of this model went"
    if twin:
        told = twin.found["dry"]
        return tokens * given.epochs / told["tokens"] * told["seconds"], "as two steps of it took"
    for run in stepped[:OTHERS] if shape else []:
        other, late = shape_here(run.base_model), _late(run)
        if other and late:
            sums = {name: late[name] for name in ("tokens", "squares", "answer_tokens")}
            again = 4 / 3 if run.hyperparameters.get("gradient_checkpointing") else 1
            done = flops_of(other, **sums) * again / late["seconds"]
            device = run.found.get("started", {}).get("hardware", {}).get("device", "its device")
            return operations_of(
                shape, given, tokens=tokens
            ) / done, f"by its operations, as {run} did them on {device}"
    return None, ""


def _late(run: TrainingRun) -> dict[str, float] | None:
    """What the steps after the first two came to."""
    names = ("tokens", "squares", "answer_tokens", "seconds")
    sums = StepMetric.objects.filter(run=run, step__gt=2).aggregate(**{name: Sum(name) for name in names})
    return sums if sums["seconds"] else None
