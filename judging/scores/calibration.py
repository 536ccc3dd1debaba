"""Are a judge's probabilities true? Pure functions on arrays. Probabilities are (n, 3): tie, 1, 2."""

import numpy as np

from annotation.agreement import Measure, divide, measured
from annotation.bootstrap import Floats, Integers, PromptBootstrap
from judging.scores.comparison import ABSENT, Passes
from judging.scores.policies import Conflict

BINS = 15


def probabilities(passes: Passes, *, conflict: Conflict) -> Floats:
    """(n, 3): the mean of both orders where both have probabilities; the given order's alone if the rule says so."""
    given, swapped = passes.p_given, passes.p_swapped
    if conflict is Conflict.GIVEN:
        return given
    mean = (given + swapped) / 2
    single = np.where(np.isnan(given), swapped, given)
    return np.where(np.isnan(mean), np.nan if passes.both_asked else single, mean)


def counted(gold: Integers, p: Floats) -> Integers:
    return (gold != ABSENT) & ~np.isnan(p).any(axis=1)


def _bins(p: Floats) -> tuple[Integers, Floats]:
    """The bin 0..14 of each top probability, and the top probability: a bin holds its upper edge."""
    top = np.nan_to_num(p).max(axis=1)
    return np.clip(np.ceil(top * BINS - 1e-9).astype(np.int64) - 1, 0, BINS - 1), top


def reliability(gold: Integers, p: Floats) -> list[tuple[float, float, float, int]]:
    """The bins that hold pairs: (lower edge, mean top probability, share right, n)."""
    use = counted(gold, p)
    index, top = _bins(p[use])
    right = p[use].argmax(axis=1) == gold[use]
    n = np.bincount(index, minlength=BINS)
    confidence, hits = np.bincount(index, top, BINS), np.bincount(index, right, BINS)
    return [(b / BINS, float(confidence[b] / n[b]), float(hits[b] / n[b]), int(n[b])) for b in np.flatnonzero(n)]


def _sums_and_n(bootstrap: PromptBootstrap, codes: Integers, values: Floats, n_codes: int) -> Floats:
    """Of each resample the sum of the values of each code, and last how many items have one: of the same prompts."""
    items = np.arange(len(codes))
    both = np.concatenate([codes, np.where(codes >= 0, n_codes, -1)])
    weights = np.concatenate([values, np.ones(len(codes))])
    return bootstrap.counts(both, n_codes + 1, weights, items=np.concatenate([items, items]))


NONE = "This judge gave no probabilities for pairs with gold."


def expected_calibration_error(gold: Integers, p: Floats, bootstrap: PromptBootstrap | None = None) -> Measure:
    """Guo et al. (2017), On calibration of modern neural networks: 15 equal-width bins on the top probability."""
    use = counted(gold, p)
    index, top = _bins(p)
    gap = (np.nan_to_num(p).argmax(axis=1) == gold) - top
    codes = np.where(use, index, -1)
    total = np.abs(np.bincount(index[use], gap[use], BINS)).sum()
    drawn = None
    if bootstrap and use.any():
        sums = _sums_and_n(bootstrap, codes, gap, BINS)
        drawn = divide(np.abs(sums[:, :BINS]).sum(axis=1), sums[:, BINS])
    return measured(divide(total, use.sum()), resampled=drawn, undefined=NONE, n=int(use.sum()))


def brier(gold: Integers, p: Floats, bootstrap: PromptBootstrap | None = None) -> Measure:
    """Brier (1950) over the three classes: the mean squared distance from what was true, 0 (perfect) to 2."""
    use = counted(gold, p)
    codes = np.where(use, 0, -1)
    distance = ((np.nan_to_num(p) - np.eye(3)[np.clip(gold, 0, 2)]) ** 2).sum(axis=1)
    drawn = None
    if bootstrap and use.any():
        drawn = divide(*_sums_and_n(bootstrap, codes, distance, 1).T)
    return measured(divide(distance[use].sum(), use.sum()), resampled=drawn, undefined=NONE, n=int(use.sum()))
