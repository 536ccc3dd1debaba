"""From the lines that a run tells of itself to rows. Each line may come twice: the last one counts."""

from collections.abc import Mapping, Sequence

import numpy as np
from django.db.models import F

from annotation.models import Choice, Dataset
from judging.scores.comparison import ABSENT, Passes, classification, confusion, decided
from judging.scores.evidence import read_people
from judging.scores.policies import PRESETS
from judging.scores.scoring import gold_of
from training.models import Checkpoint, Examination, StepMetric, TrainingRun
from training.script.saved import WEIGHTS

STEP_FIELDS = (
    "loss",
    "learning_rate",
    "gradient_norm",
    "samples",
    "tokens",
    "answer_tokens",
    "squares",
    "seconds",
    "memory",
)
# What a run says once of itself, kept as it said it.
FACTS = {"started", "tokens", "choice", "kernels", "begin", "dry"}

Line = Mapping[str, object]


def record(run: TrainingRun, lines: Sequence[Line]) -> None:
    """Inside the transaction of whoever calls."""
    steps = {int(line["step"]): line for line in lines if line["kind"] == "step"}  # type: ignore[call-overload]
    StepMetric.objects.bulk_create(
        (StepMetric(run=run, step=step, **{name: line[name] for name in STEP_FIELDS}) for step, line in steps.items()),
        update_conflicts=True,
        unique_fields=["run", "step"],
        update_fields=STEP_FIELDS,
    )
    for line in lines:
        if line["kind"] in FACTS:
            _keep_fact(run, line)
        elif line["kind"] == "checkpoint" and line["part"] == WEIGHTS:
            told = {"epoch": line["epoch"], "size": line["bytes"]}
            Checkpoint.objects.update_or_create(run=run, step=line["step"], defaults=told)
        elif line["kind"] == "held_out":
            Checkpoint.objects.filter(run=run, step=line["step"]).update(held_out_loss=line["loss"])
        elif line["kind"] == "examination":
            _examined(run, line)


def _keep_fact(run: TrainingRun, line: Line) -> None:
    kind = str(line["kind"])
    name = f"{kind} {line['of']}" if kind == "tokens" else kind
    fact = {key: value for key, value in line.items() if key not in {"kind", "of"}}
    if kind == "dry":
        # The last step of a dry run has warmed up.
        fact["memory"] = max(int(fact["memory"]), int(run.found.get("dry", {}).get("memory", 0)))  # type: ignore[call-overload]
    run.found[name] = fact
    TrainingRun.objects.filter(pk=run.pk).update(found=run.found)


def _examined(run: TrainingRun, line: Line) -> None:
    checkpoint = Checkpoint.objects.filter(run=run, step=line["step"]).first()
    dataset = Dataset.objects.filter(slug=line["dataset"]).first()
    if checkpoint is None or dataset is None:
        return
    numbers = examine(dataset, line["answers"])  # type: ignore[arg-type]
    Examination.objects.update_or_create(
        checkpoint=checkpoint, dataset=dataset, defaults={**numbers, "written": line.get("written", [])}
    )


def examine(dataset: Dataset, answers: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the answers are worth against people's gold under the default policy, as the leaderboard reckons.

    answers: {pair, swapped, p: [tie, first shown, second shown]}.
    """
    people, policy = read_people(dataset), PRESETS["default"]
    places = {int(pk): place for place, pk in enumerate(people.pair_ids)}
    choices = np.full((2, len(places)), ABSENT, dtype=np.int8)
    p = np.full((2, len(places), 3), np.nan)
    for answer in answers:
        place = places.get(int(answer["pair"]))  # type: ignore[call-overload]
        if place is None:
            continue
        swapped = bool(answer["swapped"])
        tie, first, second = answer["p"]  # type: ignore[misc]
        own = (tie, second, first) if swapped else (tie, first, second)
        choices[int(swapped), place] = int(Choice(int(np.argmax(own))))
        p[int(swapped), place] = own
    passes = Passes(choices[0], choices[1], p[0], p[1], both_asked=bool((choices[1] != ABSENT).any()))
    gold = gold_of(people, policy)
    table = confusion(gold, decided(passes, conflict=policy.conflict, invalid=policy.invalid))
    pairs = int(table.sum())
    asked_twice = (choices != ABSENT).all(axis=0)
    flips = float((choices[0] != choices[1])[asked_twice].mean()) if asked_twice.any() else None
    counts = {"pairs": pairs, "with_gold": int((gold != ABSENT).sum())}
    if not pairs:
        return {**counts, "accuracy": None, "macro_f1": None, "kappa": None, "flips": flips}
    found = classification(table)
    kappa = float(found["kappa"])
    return {
        **counts,
        "accuracy": float(found["accuracy"]),
        "macro_f1": float(found["f1_macro"]),
        "kappa": kappa if kappa == kappa else None,
        "flips": flips,
    }


def steps_done(run: TrainingRun) -> int:
    return StepMetric.objects.filter(run=run).order_by(F("step").desc()).values_list("step", flat=True).first() or 0
