"""How far a judge may be left alone: temperature scaling, and what it is right about when it is sure. Pure.

Probabilities are (n, 3): tie, 1, 2. Only pairs with gold and probabilities count (`scores.calibration.counted`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.agreement import Measure
from annotation.bootstrap import Floats, Integers, PromptBootstrap
from judging.scores.calibration import brier, counted, expected_calibration_error
from judging.scores.comparison import ABSENT, share

Mask = npt.NDArray[np.bool_]

# A probability of nought, as rounding gives, would make any mistake cost without end.
LEAST = 1e-6
COLDEST, HOTTEST = 0.05, 20.0
NOTHING_KEPT = "No pair is as sure as that."


def held_out(prompts: Integers, *, seed: int = 0) -> Mask:
    """(n,): half of the prompts, with all their pairs, for what is learnt from the other half to be tried on."""
    distinct, index = np.unique(prompts, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(distinct))
    return (drawn < len(distinct) // 2)[index]


def scaled(p: Floats, temperature: float) -> Floats:
    """Guo et al. (2017): logits divided by a temperature; above 1 the judge becomes less sure, below 1 more."""
    logs = np.log(np.clip(p, LEAST, 1)) / temperature
    powers = np.exp(logs - np.nan_to_num(logs).max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(gold: Integers, p: Floats) -> float | None:
    """The mean of -log of what was given to the truth; None without a pair that counts."""
    use = counted(gold, p)
    if not use.any():
        return None
    return float(-np.log(np.clip(p[use, gold[use]], LEAST, 1)).mean())


def temperature(gold: Integers, p: Floats) -> float | None:
    """The one that makes the truth likeliest; None without a pair that counts."""
    # Here, because every process of Tiebreak imports this module, and scipy.optimize takes nearly a second.
    from scipy.optimize import minimize_scalar

    if not counted(gold, p).any():
        return None
    found = minimize_scalar(
        lambda log: log_loss(gold, scaled(p, float(np.exp(log)))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


@dataclass(frozen=True)
class Calibration:
    """Before or after scaling, on the pairs that were held out."""

    ece: Measure
    brier: Measure
    log_loss: float | None


def calibration_of(gold: Integers, p: Floats, where: Mask, prompts: Integers) -> Calibration:
    there = gold[where], p[where]
    bootstrap = PromptBootstrap(prompts[where])
    return Calibration(expected_calibration_error(*there, bootstrap), brier(*there, bootstrap), log_loss(*there))


@dataclass(frozen=True)
class Kept:
    """What is left to the judge at a threshold. coverage: the share of pairs that is; accuracy: on those."""

    threshold: float
    n: int
    coverage: float
    accuracy: Measure


def kept(gold: Integers, p: Floats, said: Integers, threshold: float, where: Mask, prompts: Integers) -> Kept:
    """said: the judge's choice of each pair under the policy. A pair is kept where its top probability reaches it."""
    use = counted(gold, p) & where & (said != ABSENT)
    sure = np.nan_to_num(p).max(axis=1) >= threshold
    codes = np.where(use & sure, said == gold, -1)[where]
    accuracy = share(codes, undefined=NOTHING_KEPT, bootstrap=PromptBootstrap(prompts[where]))
    n = int((use & sure).sum())
    return Kept(threshold, n, n / max(int(use.sum()), 1), accuracy)


def risk_coverage(gold: Integers, p: Floats, said: Integers) -> tuple[Floats, Floats, Floats]:
    """Thresholds from the highest down, and at each the share of pairs kept and the share of these that is wrong.

    Geifman and El-Yaniv (2017), Selective classification for deep neural networks. Pairs that are equally sure are
    kept or left together.
    """
    use = counted(gold, p) & (said != ABSENT)
    top, wrong = p[use].max(axis=1), said[use] != gold[use]
    order = np.argsort(-top, kind="stable")
    top, wrong = top[order], wrong[order]
    last = np.flatnonzero(np.append(top[1:] != top[:-1], True)) if len(top) else np.zeros(0, dtype=np.int64)
    so_far = np.arange(1, len(top) + 1)
    return top[last], (so_far / max(len(top), 1))[last], (np.cumsum(wrong) / so_far)[last]


def threshold_for(gold: Integers, p: Floats, said: Integers, *, accuracy: float, where: Mask) -> float | None:
    """The lowest threshold at which so large a share of what is kept is right; None where there is none."""
    thresholds, _, risks = risk_coverage(np.where(where, gold, ABSENT), p, said)
    good = np.flatnonzero(1 - risks >= accuracy)
    return float(thresholds[good[-1]]) if len(good) else None
