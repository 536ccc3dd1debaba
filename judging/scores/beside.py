"""Two policies on the same rows: what each judge comes to under either, and why they differ."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from annotation.agreement import Measure, measured
from annotation.bootstrap import RESAMPLES, Integers, PromptBootstrap
from judging.models import JudgeRun
from judging.scores.comparison import ABSENT, COLUMNS, ROWS, cells, classification, confusion, flips, scored
from judging.scores.evidence import Evidence, RunEvidence
from judging.scores.policies import Policy
from judging.scores.scoring import choices_of, gold_of

SHOWN = {"accuracy": "Accuracy", "f1_macro": "Macro F1", "kappa": "Kappa"}
CODES = ROWS * COLUMNS + 1
NOT_BOTH = "Not defined under both policies."


@dataclass(frozen=True)
class GoldChange:
    """What becomes of gold from the one policy to the other, in pairs."""

    one: int
    other: int
    gained: int
    lost: int
    changed: int

    @property
    def moved(self) -> int:
        return self.gained + self.lost + self.changed


@dataclass(frozen=True)
class JudgeBeside:
    """A judge under both. one, other, difference: by name of measure; difference is the other's less the one's.

    invalid, conflicts: pairs with an invalid verdict, and with valid verdicts that differ between the orders.
    moved: pairs for which the judge says something else, or now something, or nothing any more.
    """

    name: str
    run: JudgeRun | None
    n: tuple[int, int]
    one: dict[str, Measure]
    other: dict[str, Measure]
    difference: dict[str, Measure]
    invalid: int
    conflicts: int
    moved: int

    @property
    def cells(self) -> list[tuple[Measure, Measure, Measure, int]]:
        """For each measure shown: under the one, under the other, the difference, digits."""
        return [
            (self.one[name], self.other[name], self.difference[name], 3 if name == "kappa" else 4) for name in SHOWN
        ]


@dataclass(frozen=True)
class Beside:
    one: Policy
    other: Policy
    gold: GoldChange
    judges: list[JudgeBeside]

    @property
    def rules(self) -> list[tuple[str, str, str]]:
        """The rules that differ: what each is about, and what it says under either."""
        both = zip(self.one.rules, self.other.rules, strict=True)
        return [(about, ours, theirs) for (about, ours), (_, theirs) in both if ours != theirs]

    @property
    def titles(self) -> list[str]:
        return list(SHOWN.values())

    @property
    def invalid_words(self) -> tuple[str, str]:
        return self.one.invalid.words, self.other.invalid.words

    @property
    def conflict_words(self) -> tuple[str, str]:
        return self.one.conflict.words, self.other.conflict.words

    def query(self, kind: str, run: JudgeRun) -> str:
        """What the review list is asked for a judge's invalid verdicts or flips."""
        return urlencode({"policy": self.one.name, "kind": kind, "run": run.pk})


def beside(evidence: Evidence, *, one: Policy, other: Policy, resamples: int = RESAMPLES, seed: int = 0) -> Beside:
    """Set two policies side by side: the same resamples of prompts serve both, so differences have intervals."""
    bootstrap = PromptBootstrap(evidence.prompts, resamples, seed)
    gold, other_gold = gold_of(evidence, one), gold_of(evidence, other)
    said = {name: (choices, run) for name, choices, run in choices_of(evidence, one, gold)}
    judges = [
        _judge(name, said[name][1], (gold, other_gold), (said[name][0], choices), bootstrap)
        for name, choices, _ in choices_of(evidence, other, other_gold)
        if name in said
    ]
    judges.sort(key=lambda judge: -(judge.one["accuracy"].value or 0))
    return Beside(one, other, gold_change(gold, other_gold), judges)


def gold_change(one: Integers, other: Integers) -> GoldChange:
    """one, other: (n_pairs,) gold, or ABSENT."""
    had, has = one != ABSENT, other != ABSENT
    return GoldChange(
        one=int(had.sum()),
        other=int(has.sum()),
        gained=int((has & ~had).sum()),
        lost=int((had & ~has).sum()),
        changed=int((had & has & (one != other)).sum()),
    )


def _judge(
    name: str,
    run: RunEvidence | None,
    gold: tuple[Integers, Integers],
    said: tuple[Integers, Integers],
    bootstrap: PromptBootstrap,
) -> JudgeBeside:
    one, other = (scored(g, s, bootstrap) for g, s in zip(gold, said, strict=True))
    return JudgeBeside(
        name=name,
        run=run and run.run,
        n=(one["accuracy"].n, other["accuracy"].n),
        one=one,
        other=other,
        difference=differences(gold, said, bootstrap),
        invalid=run.invalid if run else 0,
        conflicts=int((flips(run.passes) == 1).sum()) if run else 0,
        moved=int((said[0] != said[1]).sum()),
    )


def differences(
    gold: tuple[Integers, Integers], said: tuple[Integers, Integers], bootstrap: PromptBootstrap
) -> dict[str, Measure]:
    """Each measure under the second policy less that under the first, with the interval of the difference.

    gold, said: for both policies (n_pairs,) gold, and what the judge says. A resample draws the same prompts for both.
    """
    one, other = (classification(confusion(g, s)) for g, s in zip(gold, said, strict=True))
    # What a pair is under both, so that both are counted on the same draw: 0 is a pair that does not count.
    cell, other_cell = (cells(g, s) + 1 for g, s in zip(gold, said, strict=True))
    counts = bootstrap.counts(cell * CODES + other_cell, CODES**2).reshape(-1, CODES, CODES)
    drawn, other_drawn = (classification(counts.sum(axis=axis)[:, 1:].reshape(-1, ROWS, COLUMNS)) for axis in (2, 1))
    return {
        name: measured(
            np.asarray(other[name] - one[name]), resampled=other_drawn[name] - drawn[name], undefined=NOT_BOTH
        )
        for name in SHOWN
    }
