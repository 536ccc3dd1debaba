"""How many labels are wrong, judged by a stratified random sample of them. Pure functions on arrays.

An array has one element for each stratum: `population` labels, `audited` of them looked at, `hits` of those with the
property in question. Formulas: Cochran, Sampling Techniques, 3rd edition 1977, sections 5.5 and 5.10; Wilson, JASA 22,
1927; Korn and Graham, Survey Methodology 24, 1998, and Franco, Little, Louis and Slud, Journal of Survey Statistics and
Methodology 7, 2019, for a single proportion's interval with the effective sample size in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

LEVEL = 0.95
# A stratum with fewer audits tells nothing of its own spread: it is estimated together with others of its kind.
LEAST_AUDITED = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of all labels; `pooled` strata had too few audits to stand alone."""

    share: float
    standard_error: float
    interval: Interval
    audited: int
    pooled: int

    @property
    def width(self) -> float:
        return self.interval[1] - self.interval[0]


def wilson(hits: npt.ArrayLike, audited: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's score interval of each share, lower and upper ends; 0 to 1 where nothing is audited.

    `audited` may be infinite, for a part of which everything is known: the interval is then the share itself, and
    `hits` is that share.
    """
    z2 = NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2
    n, x = np.asarray(audited, dtype=float), np.asarray(hits, dtype=float)
    whole, nothing = np.isinf(n), n == 0
    finite = np.where(whole | nothing, 1.0, n)
    share = np.clip(np.where(whole, x, x / finite), 0, 1)
    centre = (share + z2 / (2 * finite)) / (1 + z2 / finite)
    half = np.sqrt(z2 * (share * (1 - share) / finite + z2 / (4 * finite**2))) / (1 + z2 / finite)
    # At the ends rounding would leave 1e-17 where the interval begins at 0.
    low = np.where(share <= 0, 0.0, centre - half)
    high = np.where(share >= 1, 1.0, centre + half)
    return np.where(whole, share, np.where(nothing, 0.0, low)), np.where(whole, share, np.where(nothing, 1.0, high))


def stratum_intervals(population: npt.ArrayLike, audited: npt.ArrayLike, hits: npt.ArrayLike) -> list[Interval]:
    """Wilson's interval for each stratum, with n / (1 - f) in the place of n: the finite population correction."""
    total, seen, found = (np.asarray(each, dtype=float) for each in (population, audited, hits))
    whole = (seen >= total) & (seen > 0)
    left = 1 - np.divide(seen, total, out=np.zeros_like(seen), where=total > 0)
    n = np.where(whole, np.inf, seen / np.where(whole, 1, left))
    share = np.divide(found, seen, out=np.zeros_like(seen), where=seen > 0)
    low, high = wilson(np.where(whole, share, share * np.where(whole, 1, n)), n)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def estimate(population: npt.ArrayLike, audited: npt.ArrayLike, hits: npt.ArrayLike) -> Estimate | None:
    """The share of all labels that are hits, weighted by the size of the strata. None where nothing is audited.

    Share: the sum of W p over strata, W being the stratum's part of all labels. Variance: the sum of
    W^2 (1 - f) p (1 - p) / (n - 1), f being the part of the stratum that is audited (Cochran 5.52). The interval is
    Wilson's with the effective sample size (see `_effective`), which stays sensible where p is near 0.
    """
    total, seen, found = (np.asarray(each, dtype=float) for each in (population, audited, hits))
    if not seen.sum():
        return None
    n_audited = int(seen.sum())
    total, seen, found, pooled = _pooled(total, seen, found)
    weight = total / total.sum()
    share = found / seen
    fraction = seen / total
    # Where one label alone could be audited there is no spread to see; the interval below does not need it.
    spread = share * (1 - share) / np.maximum(seen - 1, 1)
    variance = float(np.sum(weight**2 * (1 - fraction) * spread))
    mean = float(weight @ share)
    n = _effective(weight, seen, found, fraction)
    low, high = wilson(mean if np.isinf(n) else mean * n, n)
    return Estimate(mean, float(np.sqrt(variance)), (float(low), float(high)), n_audited, pooled)


def more_audits_until(
    width: float, *, population: npt.ArrayLike, audited: npt.ArrayLike, hits: npt.ArrayLike, drawn: npt.ArrayLike
) -> int | None:
    """How many more labels must be audited until the interval is narrower than `width`, as far as is known today.

    Taken for granted: the shares stay what they are now, and further labels come to the strata as the sample was
    drawn. None where nothing is audited yet, so that nothing is known. Auditing everything is always enough.
    """
    total, seen, found, plan = (np.asarray(each, dtype=float) for each in (population, audited, hits, drawn))
    now = estimate(total, seen, found)
    if now is None or width <= 0:
        return None
    rate = _shrunk(found, seen)

    def narrow_with(more: int) -> bool:
        n = _after(more, seen, plan, total)
        later = estimate(total, n, np.where(n > 0, (found + rate * (n - seen)), 0.0))
        return later is not None and later.width < width

    if now.width < width:
        return 0
    low, high = 0, int(total.sum() - seen.sum())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if narrow_with(middle) else (middle, high)
    return high


def _after(more: int, seen: Floats, plan: Floats, total: Floats) -> Floats:
    """Audits in each stratum after so many more, the planned ones first and no stratum beyond its size."""
    left = np.maximum(plan - seen, 0)
    if more <= left.sum():
        return seen + left * (more / left.sum())
    n = np.maximum(plan, seen)
    for _ in range(len(n)):
        rest = more - (n - seen).sum()
        room = total - n
        if rest <= 1e-9 or not room.sum():
            break
        share = np.where(room > 0, np.maximum(plan, 1e-9), 0)
        n = np.minimum(n + rest * share / share.sum(), total)
    return n


def allocate(population: Sequence[int], *, size: int, minimum: int, proportional: bool) -> list[int]:
    """How many labels to draw from each stratum: at least the minimum, `size` in all as far as there are so many.

    Proportional: by the size of the strata; else the same number from each, what a small stratum lacks going to the
    others. Parts of a label are settled by largest remainder, ties by the order of the strata.

    Raises ValueError where the minima alone are more than `size`.
    """
    total = np.asarray(population, dtype=np.float64)
    least = np.minimum(total, minimum)
    if least.sum() > size:
        raise ValueError(f"{int(least.sum())} labels are needed for {minimum} from each of {len(total)} strata")
    drawn = least.astype(float)
    wanted = min(size, int(total.sum()))
    # Towards the ideal from below: strata that are full, or were above it by their minimum, leave the rest to others.
    for _ in range(len(total) + 1):
        open_ = drawn < total
        rest = wanted - drawn.sum()
        if rest < 1e-9 or not open_.any():
            break
        ideal = _ideal(total, drawn, open_, wanted, proportional=proportional)
        step = np.where(open_, np.maximum(ideal - drawn, 0), 0)
        if not step.sum():
            break
        drawn = np.minimum(drawn + step * min(1.0, rest / step.sum()), total)
    return _whole_numbers(drawn, total, wanted)


def _ideal(total: Floats, drawn: Floats, open_: npt.NDArray[np.bool_], wanted: int, *, proportional: bool) -> Floats:
    weight = np.where(open_, total if proportional else 1, 0).astype(float)
    return weight / weight.sum() * (wanted - drawn[~open_].sum())


def _whole_numbers(drawn: Floats, total: Floats, wanted: int) -> list[int]:
    whole = np.floor(drawn + 1e-9).astype(np.int64)
    order = np.argsort(-(drawn - whole), kind="stable")
    while (rest := wanted - int(whole.sum())) > 0:
        able = [at for at in order if whole[at] < total[at]]
        whole[able[:rest]] += 1
    return [int(each) for each in whole]


def _effective(weight: Floats, seen: Floats, found: Floats, fraction: Floats) -> float:
    """Of how large a simple random sample the variance is that of the stratified one; infinite where all is audited.

    From shares drawn towards that of all audits: the observed ones would promise certainty where the audits of a small
    stratum happen to agree.
    """
    share = _shrunk(found, seen)
    mean = float(weight @ share)
    variance = float(np.sum(weight**2 * np.maximum(1 - fraction, 0) * share * (1 - share) / seen))
    return mean * (1 - mean) / variance if variance > 0 else float("inf")


def _shrunk(found: Floats, seen: Floats) -> Floats:
    """Shares drawn towards that of all audits, as if each stratum had two more audits; never quite 0 or 1."""
    overall = (found.sum() + 0.5) / (seen.sum() + 1)
    return (found + 2 * overall) / (seen + 2)


def _pooled(total: Floats, seen: Floats, found: Floats) -> tuple[Floats, Floats, Floats, int]:
    """Strata with too few audits as one, the next smallest with them until they have enough (collapsed strata).

    A stratum that is audited whole stands alone however small it is.
    """
    few = (seen < LEAST_AUDITED) & (seen < total)
    if not few.any():
        return total, seen, found, 0
    order = [at for at in np.argsort(seen, kind="stable") if not few[at]]
    while seen[few].sum() < LEAST_AUDITED and order:
        few[order.pop(0)] = True
    parts = [np.append(each[~few], each[few].sum()) for each in (total, seen, found)]
    return parts[0], parts[1], parts[2], int(few.sum())
