"""Intervals that know which labels share a prompt, for many numbers at once. Pure numpy.

Up to about two thousand prompts an interval is the bootstrap's (annotation.bootstrap). Beyond, where it would take
seconds, it is the one that the bootstrap comes to with many prompts: a measure is a smooth function of counts, so its
variance is that of the sum of what each prompt adds to it (the delta method, clustered; Särndal, Swensson and Wretman
1992, section 5.5). A share's interval is Wilson's, for as many labels as would tell as much if each had a prompt of its
own (Korn and Graubard 1998; Dean and Pagano 2015).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from annotation.bootstrap import Floats, Integers, Interval, PromptBootstrap, percentile_interval

Z = 1.959963984540054
# A count is moved by this share of all counts to see how a measure changes.
STEP = 1e-6
# More raters than this have so many pairs of them that the quick interval is taken.
BOOTSTRAPPED_RATERS = 15


def interval(
    measure: Callable[[Floats], Floats],
    *,
    bootstrap: PromptBootstrap,
    items: Integers,
    codes: Integers,
    n_codes: int,
    quick: bool = False,
) -> Interval | None:
    """The 95% interval of a measure of counts; None where it has none.

    measure: takes counts (..., n_codes), gives values (...), NaN where it is not defined. items: which of the
    bootstrap's items the codes are of, (m,). quick: the delta method in any case.
    """
    if bootstrap.shares_weights and not quick:
        return percentile_interval(measure(bootstrap.counts(codes, n_codes, items=items)))
    return _linearised(measure, bootstrap.prompt_of(items), codes, n_codes)


def _linearised(
    measure: Callable[[Floats], Floats], prompts: Integers, codes: Integers, n_codes: int
) -> Interval | None:
    counts = np.bincount(codes, minlength=n_codes).astype(np.float64)
    value = float(measure(counts))
    # From one prompt nobody knows how prompts differ.
    present = np.bincount(prompts) > 0
    n_prompts = int(present.sum())
    if np.isnan(value) or n_prompts < 2:
        return None
    step = STEP * counts.sum()
    moved = np.eye(n_codes) * step
    slopes = (measure(counts + moved) - measure(counts - moved)) / (2 * step)
    added = np.bincount(prompts, weights=slopes[codes])[present]
    spread = Z * float(np.sqrt(n_prompts / (n_prompts - 1) * ((added - added.mean()) ** 2).sum()))
    return (max(value - spread, -1.0), min(value + spread, 1.0)) if np.isfinite(spread) else None


def shares(
    *, hits: npt.NDArray[np.bool_], groups: Integers, prompts: Integers, n_groups: int
) -> tuple[Floats, Floats, Floats]:
    """Of each group, the share of hits and both ends of its interval: three arrays (n_groups,), NaN without items.

    hits, groups, prompts: (m,), an item each.
    """
    n = np.bincount(groups, minlength=n_groups).astype(np.float64)
    with np.errstate(invalid="ignore"):
        share = np.bincount(groups, weights=hits, minlength=n_groups) / n
    informative = _effective(hits, groups, prompts, share, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (share + Z**2 / (2 * informative)) / (1 + Z**2 / informative)
        half = (Z / (1 + Z**2 / informative)) * np.sqrt(share * (1 - share) / informative + Z**2 / (4 * informative**2))
    return share, np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _effective(hits: npt.NDArray[np.bool_], groups: Integers, prompts: Integers, share: Floats, n: Floats) -> Floats:
    """As many items, each with a prompt of its own, as tell as much as a group's: its number of items at most.

    Where all or none are hits the items tell nothing of how alike those of one prompt are: it is the number of prompts.
    """
    n_groups = len(n)
    both, at = np.unique(
        np.asarray(groups, dtype=np.int64) * (int(prompts.max(initial=0)) + 1) + prompts, return_inverse=True
    )
    of_group = both // (int(prompts.max(initial=0)) + 1)
    n_prompts = np.bincount(of_group, minlength=n_groups).astype(np.float64)
    off = np.bincount(at, weights=hits - share[groups], minlength=len(both))
    squares = np.bincount(of_group, weights=off**2, minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = n_prompts / (n_prompts - 1) * squares / n**2
        found = share * (1 - share) / variance
    certain = (share == 0) | (share == 1) | (n_prompts < 2)
    return np.where(certain, n_prompts, np.fmin(found, n))
