"""How a judge compares with gold, and two judges with each other. Pure functions on arrays.

Choices are 0 (tie), 1, 2; a verdict may also be INVALID, or ABSENT where a judge has not decided a pair. Gold is a
choice or ABSENT. Confusion tables are (..., 3, 4): rows gold tie, 1, 2; columns verdict tie, 1, 2, invalid.
A measure is NaN where it is not defined.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.agreement import Measure, cohen_kappa, divide, measured
from annotation.bootstrap import Floats, Integers, PromptBootstrap
from judging.scores.policies import Conflict, Invalid

ABSENT = -1
INVALID = 3
ROWS, COLUMNS = 3, 4


@dataclass(frozen=True)
class Passes:
    """A judge's verdicts over n pairs, in the pairs' own terms, in each order that it saw.

    given, swapped: (n,) choice, INVALID or ABSENT. p_given, p_swapped: (n, 3) probabilities of tie, 1, 2, NaN where
    there are none. both_asked: the run asks in both orders, so a pair with one verdict is not decided yet.
    """

    given: Integers
    swapped: Integers
    p_given: Floats
    p_swapped: Floats
    both_asked: bool = False


def decided(passes: Passes, *, conflict: Conflict, invalid: Invalid) -> Integers:
    """What a judge says of each pair after the order rule and the invalid rule: choice, INVALID (wrong) or ABSENT.

    An invalid verdict in either order that counts makes the pair's verdict invalid, unless invalid counts as a tie,
    which it then is before the orders are compared.
    """
    given, swapped = passes.given, passes.swapped
    if invalid is Invalid.TIE:
        given, swapped = np.where(given == INVALID, 0, given), np.where(swapped == INVALID, 0, swapped)
    if conflict is Conflict.GIVEN:
        final = given if passes.both_asked else np.where(given == ABSENT, swapped, given)
    else:
        final = _both_orders(passes, given, swapped, conflict)
    if invalid is Invalid.OUT:
        final = np.where(final == INVALID, ABSENT, final)
    return final.astype(np.int8)


def _both_orders(passes: Passes, given: Integers, swapped: Integers, conflict: Conflict) -> Integers:
    both = (given != ABSENT) & (swapped != ABSENT)
    if conflict is Conflict.TIE:
        agreed = np.where(given == swapped, given, 0)
    else:
        agreed = averaged(given, swapped, passes.p_given, passes.p_swapped)
    agreed = np.where((given == INVALID) | (swapped == INVALID), INVALID, agreed)
    single = np.full_like(given, ABSENT) if passes.both_asked else np.maximum(given, swapped)
    return np.where(both, agreed, single)


def averaged(given: Integers, swapped: Integers, p_given: Floats, p_swapped: Floats) -> Integers:
    """The choice of the highest mean probability of both orders; a tie where two share it.

    A verdict without probabilities counts as certain of its choice.
    """
    total = np.zeros((len(given), ROWS))
    for choices, p in ((given, p_given), (swapped, p_swapped)):
        certain = np.eye(ROWS)[np.clip(choices, 0, ROWS - 1)]
        total += np.where(np.isnan(p).any(axis=1, keepdims=True), certain, p)
    ordered = np.sort(total, axis=1)
    shared = ordered[:, -1] - ordered[:, -2] < 1e-9
    return np.where(shared, 0, total.argmax(axis=1))


def cells(gold: Integers, verdicts: Integers) -> Integers:
    """The confusion cell of each pair, 0..11, or -1 where it has no gold or no verdict."""
    counted = (gold != ABSENT) & (verdicts != ABSENT)
    return np.where(counted, gold.astype(np.int64) * COLUMNS + verdicts, -1)


def confusion(gold: Integers, verdicts: Integers) -> Integers:
    """Counts of pairs that have gold and a verdict: (3, 4)."""
    codes = cells(gold, verdicts)
    return np.bincount(codes[codes >= 0], minlength=ROWS * COLUMNS).reshape(ROWS, COLUMNS)


def classification(table: npt.ArrayLike) -> dict[str, Floats]:
    """Accuracy, precision, recall and F1 over {tie, 1, 2}, and Cohen's kappa, of confusion tables (..., 3, 4).

    Macro averages are the mean of the three choices, weighted ones the mean by how often gold is each. As scikit-learn
    has them with labels=[0, 1, 2], zero_division=0. An invalid verdict is a fourth class that gold
    never has: it lowers accuracy and recall, adds to no precision, and counts in kappa's total.
    """
    table = np.asarray(table, dtype=float)
    total = table.sum(axis=(-2, -1))
    right = np.diagonal(table, axis1=-2, axis2=-1)
    said, true = table[..., :ROWS].sum(axis=-2), table.sum(axis=-1)
    precision = np.nan_to_num(divide(right, said))
    recall = np.nan_to_num(divide(right, true))
    f1 = np.nan_to_num(divide(2 * right, said + true))
    empty = np.where(total > 0, 0.0, np.nan)
    square = np.concatenate([table, np.zeros_like(table[..., :1, :])], axis=-2)
    return {
        "accuracy": divide(right.sum(axis=-1), total),
        "precision_macro": precision.mean(axis=-1) + empty,
        "recall_macro": recall.mean(axis=-1) + empty,
        "f1_macro": f1.mean(axis=-1) + empty,
        "kappa": cohen_kappa(square),
        "precision_weighted": divide((precision * true).sum(axis=-1), total),
        "recall_weighted": divide((recall * true).sum(axis=-1), total),
        "f1_weighted": divide((f1 * true).sum(axis=-1), total),
    }


def scored(gold: Integers, verdicts: Integers, bootstrap: PromptBootstrap | None = None) -> dict[str, Measure]:
    """The measures of `classification`, with intervals where a bootstrap over the pairs is given."""
    table = confusion(gold, verdicts)
    drawn: dict[str, Floats] = {}
    if bootstrap:
        counts = bootstrap.counts(cells(gold, verdicts), ROWS * COLUMNS)
        drawn = classification(counts.reshape(-1, ROWS, COLUMNS))
    return measures_of(table, drawn)


def measures_of(table: Integers, drawn: dict[str, Floats]) -> dict[str, Measure]:
    """The measures of one confusion table (3, 4), with intervals where resampled values (resamples,) are given."""
    n = int(table.sum())
    none = "No pair has both gold and a verdict." if n == 0 else "Gold and verdicts are all one and the same choice."
    return {
        name: measured(value, resampled=drawn.get(name), undefined=none, n=n)
        for name, value in classification(table).items()
    }


def flips(passes: Passes) -> Integers:
    """1 where the two orders' verdicts differ, 0 where they agree, -1 where not both orders have a valid one."""
    valid = (passes.given >= 0) & (passes.given < INVALID) & (passes.swapped >= 0) & (passes.swapped < INVALID)
    return np.where(valid, passes.given != passes.swapped, -1)


def share(codes: Integers, *, undefined: str, bootstrap: PromptBootstrap | None = None) -> Measure:
    """The share of ones among ones and zeros; codes of -1 are not counted."""
    counts = np.bincount(codes[codes >= 0], minlength=2)
    drawn = bootstrap.counts(codes, 2) if bootstrap else None
    return measured(
        divide(counts[1], counts.sum()),
        resampled=None if drawn is None else divide(drawn[:, 1], drawn.sum(axis=1)),
        undefined=undefined,
        n=int(counts.sum()),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p of McNemar's test: how likely so uneven a split is if both are right equally often.

    McNemar (1947), Note on the sampling error of the difference between correlated proportions or percentages.
    """
    # Here, because every process of Tiebreak imports this module, and scipy takes a quarter of a second.
    from scipy.special import bdtr

    if only_a == only_b:
        return 1.0
    # Both tails are equally large, so this is scipy.stats.binomtest, at a hundredth of its time.
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def holm(p: npt.ArrayLike) -> Floats:
    """Holm's adjusted p values (1979), in the order given."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


@dataclass(frozen=True)
class Paired:
    """Two judges on the pairs that both decided. difference: a's accuracy less b's."""

    n: int
    only_a_right: int
    only_b_right: int
    p: float
    difference: Measure


def paired(gold: Integers, a: Integers, b: Integers, bootstrap: PromptBootstrap | None = None) -> Paired:
    counted = (gold != ABSENT) & (a != ABSENT) & (b != ABSENT)
    # 0: both right or both wrong; 1: only a right; 2: only b right.
    codes = np.where(counted, np.where((a == gold) == (b == gold), 0, np.where(a == gold, 1, 2)), -1)
    same, only_a, only_b = (int(count) for count in np.bincount(codes[counted], minlength=3))
    drawn = bootstrap.counts(codes, 3) if bootstrap else None
    n = same + only_a + only_b
    difference = measured(
        divide(only_a - only_b, n),
        resampled=None if drawn is None else divide(drawn[:, 1] - drawn[:, 2], drawn.sum(axis=1)),
        undefined="They decided no pair with gold in common.",
        n=n,
    )
    return Paired(n, only_a, only_b, mcnemar(only_a, only_b), difference)


def win_tie_loss(*, first: Integers, second: Integers, choices: Integers, n_generators: int) -> Integers:
    """Wins of each generator over each other, and ties: (2, n, n). [0, i, j] counts i better than j; [1] ties, twice.

    first, second: (n,) index of each response's generator, negative where not known. choices: as gold.
    """
    counted = (first >= 0) & (second >= 0) & (first != second) & (choices != ABSENT)
    f, s, c = first[counted].astype(np.int64), second[counted].astype(np.int64), choices[counted]
    winner, loser = np.where(c == 2, s, f), np.where(c == 2, f, s)
    size = n_generators * n_generators
    code = winner * n_generators + loser
    wins = np.bincount(code[c != 0], minlength=size).reshape(n_generators, n_generators)
    ties = np.bincount(code[c == 0], minlength=size).reshape(n_generators, n_generators)
    return np.stack([wins, ties + ties.T])
