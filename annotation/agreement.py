"""How far people agree. Pure functions on arrays; every measure is a function of counts, so that resamples are too.

Votes are (n_pairs, 3) counts of tie, 1 and 2, as annotation.gold.votes gives them. A composition is a distinct row of
votes; measures take `compositions` (m, 3) and how many pairs have each, `weights` (..., m), the last axis matching.
A measure is NaN where it is not defined; `why_undefined` says why.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.bootstrap import Floats, Integers, Interval, PromptBootstrap, percentile_interval
from annotation.gold import CHOICES


def compositions_of(votes: Integers) -> tuple[Integers, Integers]:
    """The distinct rows of votes (m, 3), and for each pair which of them it has (n_pairs,)."""
    base = int(votes.max(initial=0)) + 1
    codes = (votes[:, 0] * base + votes[:, 1]) * base + votes[:, 2]
    distinct, index = np.unique(codes, return_inverse=True)
    rows = np.stack([distinct // base**2, distinct // base % base, distinct % base], axis=1)
    return rows, index


def divide(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    """above / below, NaN where below is zero."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=np.abs(below) > 1e-12)


def raw_agreement(compositions: Integers, weights: npt.ArrayLike) -> Floats:
    """The share of label pairs on one pair that agree, averaged over pairs with at least two labels."""
    n = compositions.sum(axis=1)
    several = n > 1
    agreeing = (compositions * (compositions - 1)).sum(axis=1) / np.maximum(n * (n - 1), 1)
    counted = np.asarray(weights) * several
    return divide(counted @ agreeing, counted.sum(axis=-1))


def _most_labels(labels: Integers) -> npt.NDArray[np.bool_]:
    """Which pairs have as many labels as any, and at least two; labels (n,) counts."""
    return (labels == labels.max(initial=0)) & (labels > 1)


def fleiss_kappa(compositions: Integers, weights: npt.ArrayLike) -> Floats:
    """Fleiss (1971), Measuring nominal scale agreement among many raters; over the pairs with most labels.

    Fleiss' kappa wants the same number of labels on each pair: those that have as many as any count, if at least two.
    """
    n = compositions.sum(axis=1)
    counted = np.asarray(weights) * _most_labels(n)
    observed = raw_agreement(compositions, counted)
    shares = divide(counted @ compositions, (counted @ n)[..., None])
    expected = (shares**2).sum(axis=-1)
    return divide(observed - expected, 1 - expected)


def krippendorff_alpha(compositions: Integers, weights: npt.ArrayLike) -> Floats:
    """Krippendorff's alpha for nominal data (Content Analysis, 2004, section 11.3); labels may be missing.

    Pairs with a single label say nothing and are left out.
    """
    n = compositions.sum(axis=1)
    counted = np.asarray(weights, dtype=float) * (n > 1)
    disagreeing = (n**2 - (compositions**2).sum(axis=1)) / np.maximum(n - 1, 1)
    observed = counted @ disagreeing
    totals = counted @ compositions
    total = totals.sum(axis=-1)
    expected = divide(total**2 - (totals**2).sum(axis=-1), total - 1)
    return 1 - divide(observed, expected)


def cohen_kappa(confusion: npt.ArrayLike) -> Floats:
    """Cohen (1960), A coefficient of agreement for nominal scales. confusion: (..., k, k) counts."""
    table = np.asarray(confusion, dtype=float)
    total = table.sum(axis=(-2, -1))
    observed = divide(np.trace(table, axis1=-2, axis2=-1), total)
    expected = divide((table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1), total**2)
    return divide(observed - expected, 1 - expected)


def why_undefined(what: str) -> str:
    """In words, why a measure of agreement has no value."""
    return {
        "raw_agreement": "No pair has two labels yet.",
        "fleiss_kappa": "No pair has two labels yet, or all labels are the same, so that chance explains everything.",
        "krippendorff_alpha": "No pair has two labels yet, or all labels are the same.",
        "cohen_kappa": "They share no pair, or both always gave the same label.",
        "first_share": "No label that is not a tie has its side on record.",
    }[what]


@dataclass(frozen=True)
class Measure:
    """A number with its 95% interval; where it is not defined, why."""

    value: float | None
    interval: Interval | None = None
    undefined: str = ""
    n: int = 0


def measured(
    value: float | np.floating | npt.NDArray[np.floating],
    *,
    resampled: Floats | None = None,
    undefined: str = "",
    n: int = 0,
) -> Measure:
    """A Measure of a value that may be NaN, and of its resampled values."""
    number = float(value)
    if np.isnan(number):
        return Measure(None, None, undefined, n)
    return Measure(number, None if resampled is None else percentile_interval(resampled), "", n)


@dataclass(frozen=True)
class Splits:
    """Pairs with at least two labels by how their labels fall, and those with fewer."""

    unanimous: int
    majority: int
    none: int
    too_few: int


def splits(votes: Integers) -> Splits:
    n, top = votes.sum(axis=1), votes.max(axis=1)
    several = n > 1
    unanimous = several & (top == n)
    majority = several & (2 * top > n) & ~unanimous
    return Splits(
        int(unanimous.sum()),
        int(majority.sum()),
        int((several & ~unanimous & ~majority).sum()),
        int((~several).sum()),
    )


OVERALL = {"raw_agreement": raw_agreement, "fleiss_kappa": fleiss_kappa, "krippendorff_alpha": krippendorff_alpha}


def counted_pairs(votes: Integers) -> dict[str, npt.NDArray[np.bool_]]:
    """For each measure of OVERALL, which pairs (n,) it is taken on; votes (n, 3)."""
    labels = votes.sum(axis=1)
    return dict.fromkeys(OVERALL, labels > 1) | {"fleiss_kappa": _most_labels(labels)}


def overall(votes: Integers, bootstrap: PromptBootstrap | None = None) -> dict[str, Measure]:
    """Raw agreement, Fleiss' kappa and Krippendorff's alpha; intervals where a bootstrap is given."""
    compositions, index = compositions_of(votes)
    weights = np.bincount(index, minlength=len(compositions))
    drawn = bootstrap.counts(index, len(compositions)) if bootstrap else None
    pairs = counted_pairs(votes)
    return {
        name: measured(
            measure(compositions, weights),
            resampled=None if drawn is None else measure(compositions, drawn),
            undefined=why_undefined(name),
            n=int(pairs[name].sum()),
        )
        for name, measure in OVERALL.items()
    }


def between(*, pairs: Integers, raters: Integers, choices: Integers, n_pairs: int, n_raters: int) -> Integers:
    """How each two raters' labels of the same pairs fall: (n_raters, n_raters, 3, 3) counts, upper half only.

    Entry [a, b, i, j] counts pairs that a labelled i and b labelled j, for a < b.
    """
    _, cells = meetings(pairs=pairs, raters=raters, choices=choices, n_pairs=n_pairs, n_raters=n_raters)
    counts = np.bincount(cells, minlength=(n_raters * CHOICES) ** 2)
    return counts.reshape(n_raters, n_raters, CHOICES, CHOICES)


def meetings(
    *, pairs: Integers, raters: Integers, choices: Integers, n_pairs: int, n_raters: int
) -> tuple[Integers, Integers]:
    """Each two labels of one pair: the pair (m,), and the flat index of their entry in `between` (m,)."""
    order = np.argsort(pairs, kind="stable")
    pairs, raters, choices = pairs[order], np.asarray(raters)[order].astype(np.int64), np.asarray(choices)[order]
    most = int(np.bincount(pairs, minlength=n_pairs).max(initial=0))
    met, cells = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    # Labels of one pair now stand together: compare each with the one that stands `step` further on.
    for step in range(1, most):
        same = pairs[:-step] == pairs[step:]
        a, b = raters[:-step][same], raters[step:][same]
        i, j = choices[:-step][same].astype(np.int64), choices[step:][same].astype(np.int64)
        turned = a > b
        a, b, i, j = np.where(turned, b, a), np.where(turned, a, b), np.where(turned, j, i), np.where(turned, i, j)
        met.append(pairs[:-step][same])
        cells.append(((a * n_raters + b) * CHOICES + i) * CHOICES + j)
    return np.concatenate(met), np.concatenate(cells)


def first_share(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """The share of choices for the side shown first among the choices for a side; ties say nothing of position."""
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    return divide(first, first + second)


def sides(choices: Integers, swapped: Integers) -> Integers:
    """Which side each choice was for: 0 the one shown first, 1 the other, -1 a tie, no choice, or a side not known.

    swapped: 1 where response 2 was shown first, 0 where not, -1 where that is not known.
    """
    known = (swapped >= 0) & ((choices == 1) | (choices == 2))
    return np.where(known, (choices == 2) ^ (swapped == 1), -1)


def position(choices: Integers, swapped: Integers, bootstrap: PromptBootstrap | None = None) -> Measure:
    """A rater's share of first-position choices, with its interval. Arrays are (n,), aligned with the bootstrap."""
    codes = sides(choices, swapped)
    counts = np.bincount(codes[codes >= 0], minlength=2)
    drawn = bootstrap.counts(codes, 2) if bootstrap else None
    return measured(
        first_share(counts[0], counts[1]),
        resampled=None if drawn is None else first_share(drawn[:, 0], drawn[:, 1]),
        undefined=why_undefined("first_share"),
        n=int(counts.sum()),
    )
