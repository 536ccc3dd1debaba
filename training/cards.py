"""The card that lies beside a checkpoint: what it learnt from, how, and what it is worth."""

from training.learnt import held_out_of, learnt_of
from training.models import Checkpoint, TrainingRun

_HEAD = """---
library_name: transformers
pipeline_tag: text-generation
base_model: {base}
---
# {name}, epoch {epoch}

{what} It was trained by Tiebreak's run {run} with the code {code}.
"""
_WHAT = {
    "judge": "A judge: it reads a task with two responses in the format pandalm@1 and writes which is better, why, "
    "and a response of its own.",
    "candidate": "A candidate: it answers instructions in Alpaca's format.",
}


def card_of(run: TrainingRun, checkpoint: Checkpoint) -> str:
    """Markdown with the front matter that model hubs read."""
    parts = [
        _HEAD.format(
            base=run.base_model,
            name=run.name,
            epoch=checkpoint.epoch,
            what=_WHAT[run.purpose],
            run=run.pk,
            code=run.code,
        ),
        "## What it learnt from\n",
        _data(run),
        "## How\n",
        _table({name: word_of(value) for name, value in run.hyperparameters.items()}),
        _found(run),
        "## What it is worth\n",
        _worth(checkpoint),
        "## Licence\n",
        "That of the base model and of the data that it learnt from, whichever forbids more. A judge that learnt from "
        "the answers of a served model is bound by the terms of that service.\n",
    ]
    return "\n".join(parts)


def _data(run: TrainingRun) -> str:
    card, snapshot = run.snapshot.card, run.snapshot
    # What the snapshot holds says too much where samples were too long.
    learnt, held_out = learnt_of(run), held_out_of(run)
    told = {
        "snapshot": snapshot.name,
        "SHA-256": snapshot.sha256,
        "samples": str(learnt or f"{snapshot.count:,}"),
        "prompts": f"{card.get('prompts', 0):,}",
        "held out": f"{held_out or f'{snapshot.held_out_count:,} samples'}, of other prompts",
        "recipe": ", ".join(f"{name} {word_of(value)}" for name, value in snapshot.recipe.items()),
    }
    if weights := card.get("weights"):
        each = [stratum["weight"] for stratum in weights["strata"]]
        told["weights"] = (
            f"{min(each):.2f} to {max(each):.2f} by how often audit {snapshot.recipe.get('weights')} found labels of a "
            f"stratum right ({weights['overall']:.0%} of all); {weights['audited']:.2f} for audited ones"
        )
    if any(card.get("leaks", {}).values()):
        met = ", ".join(f"{n} of {slug}" for slug, n in card["leaks"].items() if n)
        told["prompts of test sets"] = f"{met}: {snapshot.override or 'left out'}"
    return _table(told)


def _found(run: TrainingRun) -> str:
    started = run.found.get("started", {})
    libraries = ", ".join(f"{name} {number}" for name, number in started.get("libraries", {}).items())
    told = {
        "devices": f"{run.devices}, {started.get('hardware', {}).get('device', 'unknown')}",
        "number format": started.get("hardware", {}).get("dtype", "unknown"),
        "libraries": libraries,
        "form": run.found.get("choice", {}).get("batching", "unknown"),
    }
    return _table(told)


def _worth(checkpoint: Checkpoint) -> str:
    rows = []
    if checkpoint.held_out_loss is not None:
        rows.append(f"Loss on prompts that it never saw: {checkpoint.held_out_loss:.4f}.\n")
    for each in checkpoint.examinations.all():
        if each.accuracy is not None:
            kappa = "undefined" if each.kappa is None else f"{each.kappa:.4f}"
            rows.append(
                f"On {each.pairs} pairs of {each.dataset.slug} that people judged, by the first token of its answer: "
                f"accuracy {each.accuracy:.4f}, macro F1 {each.macro_f1:.4f}, kappa {kappa}.\n"
            )
    return "\n".join(rows) or "Nothing was measured.\n"


def _table(told: dict[str, str]) -> str:
    return "| | |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in told.items())


def word_of(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {word_of(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
