"""Runs laid over each other: what each came to, and what sets them apart. Reads rows, changes none."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.cards import word_of
from training.learnt import Fit, held_out_of
from training.models import Examination, TrainingRun
from training.pages import Figures, figures_of


@dataclass(frozen=True)
class Column:
    """One run. held_out_loss: of the newest checkpoint that has one. best: by accuracy, of all checkpoints."""

    run: TrainingRun
    figures: Figures
    held_out: Fit | None
    held_out_loss: float | None
    best: Examination | None


def column_of(run: TrainingRun) -> Column:
    losses = run.checkpoints.exclude(held_out_loss=None).order_by("-step").values_list("held_out_loss", flat=True)
    examined = Examination.objects.filter(checkpoint__run=run).exclude(accuracy=None)
    return Column(
        run=run,
        figures=figures_of(run),
        held_out=held_out_of(run),
        held_out_loss=losses.first(),
        best=examined.select_related("checkpoint", "dataset").order_by("-accuracy", "checkpoint__step").first(),
    )


def changed(runs: Sequence[TrainingRun]) -> list[tuple[str, list[str]]]:
    """(name, value of each run) of the hyperparameters that are not the same in all."""
    names = sorted({name for run in runs for name in run.hyperparameters})
    rows = [(name, [word_of(run.hyperparameters.get(name)) for run in runs]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
