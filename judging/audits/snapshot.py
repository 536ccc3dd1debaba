"""What an audit says about the labels that a judge is to learn from: corrections, exclusions and weights by stratum.

Pure: items and strata in, a plain document out, with the recipe by which it was made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 1
# As if each stratum had so many more audits at the rate of the whole: a few audits do not swing a stratum's weight.
PRIOR_AUDITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedLabel:
    """Choices are 1, 2 or "tie"."""

    pair: str
    stratum: int
    label: int | str
    outcome: str
    right: int | str | None
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    number: int
    cells: dict[str, str]
    population: int


def snapshot_of(
    *, about: dict[str, Any], labels: Iterable[AuditedLabel], strata: Sequence[Stratum], weighted: bool
) -> dict[str, Any]:
    """The document. `about` tells of what it is; `weighted` only for a random sample, else weights are null.

    A wrong label becomes the right choice, an undecidable one and one with a broken response are left out, and the
    labels that nobody looked at weigh by how often labels of their stratum are right, with the mean 1.
    """
    decided = sorted(labels, key=lambda each: each.pair)
    corrections = [
        {"pair": each.pair, "from": each.label, "to": each.right, "cause": each.cause}
        for each in decided
        if each.outcome == "wrong"
    ]
    exclusions = [
        {"pair": each.pair, "why": each.outcome, "cause": each.cause}
        for each in decided
        if each.outcome in {"undecidable", "broken"}
    ]
    return {
        "version": VERSION,
        **about,
        "recipe": _recipe(weighted),
        "confirmed": [each.pair for each in decided if each.outcome == "right"],
        "corrections": corrections,
        "exclusions": exclusions,
        "weights": _weights(decided, strata) if weighted else None,
    }


def _recipe(weighted: bool) -> dict[str, Any]:
    return {
        "wrong": "the label becomes the right choice",
        "undecidable": "left out",
        "broken": "left out",
        "audited": "confirmed and corrected labels weigh as if always right",
        "weights": {
            "of": "labels that were not audited, by their stratum",
            "formula": "(right + prior_audits * overall) / (audited + prior_audits), over its mean for all labels",
            "overall": "share of right labels, weighted by the size of the strata that have audits",
            "prior_audits": PRIOR_AUDITS,
        }
        if weighted
        else "none: suspicious labels are no sample, and say nothing of the labels that nobody looked at",
    }


def _weights(labels: Sequence[AuditedLabel], strata: Sequence[Stratum]) -> dict[str, Any] | None:
    """None where nothing is audited."""
    if not labels:
        return None
    right = {each.number: [0, 0] for each in strata}
    for label in labels:
        right[label.stratum][0] += label.outcome == "right"
        right[label.stratum][1] += 1
    seen = [each for each in strata if right[each.number][1]]
    overall = sum(each.population * right[each.number][0] / right[each.number][1] for each in seen) / sum(
        each.population for each in seen
    )
    shares = {number: (good + PRIOR_AUDITS * overall) / (n + PRIOR_AUDITS) for number, (good, n) in right.items()}
    total = sum(each.population for each in strata)
    mean = sum(each.population * shares[each.number] for each in strata) / total
    return {
        "overall": overall,
        "audited_weight": 1 / mean if mean else None,
        "strata": [
            {
                "number": each.number,
                "cells": each.cells,
                "population": each.population,
                "audited": right[each.number][1],
                "right": right[each.number][0],
                "share_right": shares[each.number],
                "weight": shares[each.number] / mean if mean else None,
            }
            for each in strata
        ],
    }
