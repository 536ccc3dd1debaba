"""How each rater stands to the others: two by two, against the rest, over time. Pure functions on arrays.

Raters are people and, behind them, whatever judges are looked at as if they were people. Choices are 0 (tie), 1, 2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from annotation import clusters
from annotation.agreement import Measure, between, cohen_kappa, divide, measured, meetings, why_undefined
from annotation.bootstrap import Floats, Integers, PromptBootstrap
from annotation.gold import CHOICES, NONE, majority, majority_of_others, votes

CELLS = CHOICES * CHOICES
NOTHING_TO_COMPARE = "No pair that it labelled has a majority of other labels."


class Flat(TypedDict):
    pairs: Integers
    raters: Integers
    choices: Integers
    n_pairs: int
    n_raters: int


@dataclass(frozen=True)
class Ratings:
    """Labels, one element each: pairs (index, 0..n_pairs-1), raters (index) and choices, each (m,).

    Raters below n_people are people. bootstrap is over the pairs. enough: people's labels that a majority needs where a
    judge is held against it. left_out: people whose labels such a majority leaves out, as gold does.
    """

    pairs: Integers
    raters: Integers
    choices: Integers
    n_pairs: int
    n_raters: int
    n_people: int
    bootstrap: PromptBootstrap
    enough: int = 1
    left_out: tuple[int, ...] = ()

    @property
    def flat(self) -> Flat:
        """As the functions of annotation.gold and annotation.agreement take labels."""
        return {
            "pairs": self.pairs,
            "raters": self.raters,
            "choices": self.choices,
            "n_pairs": self.n_pairs,
            "n_raters": self.n_raters,
        }

    @property
    def quick(self) -> bool:
        return self.n_raters > clusters.BOOTSTRAPPED_RATERS


@dataclass(frozen=True)
class AgainstRest:
    """A rater beside the majority of the others. table: (3, 3) counts, rows what the rest says, columns the rater."""

    agreement: Measure
    kappa: Measure
    table: Integers


def two_by_two(ratings: Ratings) -> dict[tuple[int, int], Measure]:
    """Cohen's kappa of each two raters, by their indices a < b; n is the pairs that both labelled."""
    tables = between(**ratings.flat)
    pairs, cells = meetings(**ratings.flat)
    of_two, codes = np.divmod(cells, CELLS)
    # Small integers are sorted by their digits, ten times as fast.
    order = np.argsort(of_two.astype(np.min_scalar_type(ratings.n_raters**2)), kind="stable")
    edges = np.searchsorted(of_two[order], np.arange(ratings.n_raters**2 + 1))
    found = {}
    for a in range(ratings.n_raters):
        for b in range(a + 1, ratings.n_raters):
            both = order[edges[a * ratings.n_raters + b] : edges[a * ratings.n_raters + b + 1]]
            found[a, b] = _of_table(
                _kappa, tables[a, b], pairs[both], codes[both], ratings, why_undefined("cohen_kappa")
            )
    return found


def what_the_rest_says(ratings: Ratings) -> Integers:
    """For each label the strict majority of the other people's labels of its pair, or NONE."""
    people = ratings.raters < ratings.n_people
    rest = np.full(len(ratings.pairs), NONE, dtype=np.int8)
    pairs, choices = ratings.pairs[people], ratings.choices[people]
    rest[people] = majority_of_others(pairs=pairs, choices=choices, n_pairs=ratings.n_pairs)
    counted = people & ~np.isin(ratings.raters, ratings.left_out)
    voted = votes(pairs=ratings.pairs[counted], choices=ratings.choices[counted], n_pairs=ratings.n_pairs)
    of_pairs = majority(voted, at_least=ratings.enough)
    rest[~people] = of_pairs[ratings.pairs[~people]]
    return rest


def against_rest(ratings: Ratings, rest: Integers) -> list[AgainstRest]:
    """Each rater, on the pairs whose other labels have a majority. rest: as what_the_rest_says gives it."""
    found = []
    for rater in range(ratings.n_raters):
        own = np.flatnonzero((ratings.raters == rater) & (rest != NONE))
        codes = rest[own].astype(np.int64) * CHOICES + ratings.choices[own]
        table = np.bincount(codes, minlength=CELLS).reshape(CHOICES, CHOICES)
        agreement, kappa = (
            _of_table(measure, table, ratings.pairs[own], codes, ratings, undefined)
            for measure, undefined in ((_right, NOTHING_TO_COMPARE), (_kappa, why_undefined("cohen_kappa")))
        )
        found.append(AgainstRest(agreement, kappa, table))
    return found


def _of_table(
    measure: Callable[[Floats], Floats],
    table: Integers,
    pairs: Integers,
    codes: Integers,
    ratings: Ratings,
    undefined: str,
) -> Measure:
    n = int(table.sum())
    value = measured(measure(table.ravel().astype(np.float64)), undefined=undefined, n=n)
    if value.value is None:
        return value
    found = clusters.interval(
        measure, bootstrap=ratings.bootstrap, items=pairs, codes=codes, n_codes=CELLS, quick=ratings.quick
    )
    return Measure(value.value, found, "", n)


def _kappa(counts: Floats) -> Floats:
    return cohen_kappa(counts.reshape(*counts.shape[:-1], CHOICES, CHOICES))


def _right(counts: Floats) -> Floats:
    return divide(counts[..., :: CHOICES + 1].sum(axis=-1), counts.sum(axis=-1))


@dataclass(frozen=True)
class Stretch:
    """A part of one rater's labels in the order of time. first, last: when its first and last label were made."""

    rater: int
    first: float
    last: float
    labels: int
    agreement: Measure


def by_hundreds(raters: Integers, at: Floats, *, most: int) -> Integers:
    """Which stretch of its rater's labels, in the order of time, each label is in: (m,).

    A hundred labels make a stretch, or so many hundreds that a rater has `most` stretches at most. Labels of the same
    moment are never parted: they came in together, from a file, and have no order.
    """
    order = np.lexsort((at, raters))
    ordered, times = raters[order], at[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]] if len(order) else np.zeros(0, dtype=bool)
    sizes = np.bincount(raters) if len(order) else np.zeros(0, dtype=np.int64)
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    same = np.r_[False, (ordered[1:] == ordered[:-1]) & (times[1:] == times[:-1])] if len(order) else begins
    earliest = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    hundred = 100 * np.maximum(-(-sizes // (100 * most)), 1)
    stretches = np.zeros(len(order), dtype=np.int64)
    stretches[order] = place[earliest] // hundred[ordered] if len(order) else 0
    return stretches


def by_week(at: Floats) -> Integers:
    """Weeks since the epoch, from Monday midnight UTC, of times in seconds."""
    return np.floor((at / 86400 + 3) / 7).astype(np.int64)


def drift(*, raters: Integers, stretches: Integers, at: Floats, right: Integers, prompts: Integers) -> list[Stretch]:
    """How each rater agrees with the rest, stretch by stretch, in the order of time.

    right: 1 where the label is what the rest says, 0 where not, -1 where the rest has no majority.
    """
    if not len(raters):
        return []
    span = int(stretches.max()) + 1
    group = raters.astype(np.int64) * span + stretches
    n_groups = int(group.max()) + 1
    compared = right >= 0
    share, low, high = clusters.shares(
        hits=right[compared] == 1, groups=group[compared], prompts=prompts[compared], n_groups=n_groups
    )
    labels, n = np.bincount(group), np.bincount(group[compared], minlength=n_groups)
    first, last = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
    np.minimum.at(first, group, at)
    np.maximum.at(last, group, at)
    measures = _measures(share, low, high, n, NOTHING_TO_COMPARE)
    return [
        Stretch(key // span, float(first[key]), float(last[key]), int(labels[key]), measures[key])
        for key in map(int, np.flatnonzero(labels))
    ]


def shares_of(*, hits: Integers, raters: Integers, prompts: Integers, n_raters: int, undefined: str) -> list[Measure]:
    """Each rater's share of hits (1) among hits and misses (0); -1 is neither. With Wilson's interval, clustered."""
    counted = hits >= 0
    share, low, high = clusters.shares(
        hits=hits[counted] == 1, groups=raters[counted], prompts=prompts[counted], n_groups=n_raters
    )
    n = np.bincount(raters[counted], minlength=n_raters)
    return _measures(share, low, high, n, undefined)


def _measures(share: Floats, low: Floats, high: Floats, n: Integers, undefined: str) -> list[Measure]:
    rows = zip(share.tolist(), low.tolist(), high.tolist(), n.tolist(), strict=True)
    return [
        Measure(value, (lower, upper), "", count) if count else Measure(None, None, undefined)
        for value, lower, upper, count in rows
    ]
