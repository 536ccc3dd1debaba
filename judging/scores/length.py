"""The lengths of responses: who prefers the longer one, and pairs cut into quarters by them. Pure functions."""

from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from annotation.agreement import Measure
from annotation.bootstrap import Integers, PromptBootstrap
from judging.scores.comparison import share

NO_LENGTHS = "No choice of a response whose length differs from the other's."


def took_longer(choices: Integers, lengths: Integers) -> Integers:
    """1 where the choice is the longer response, 0 where the shorter, -1 for ties, none, and equal lengths: (n,).

    choices: (n,), as in judging.scores.comparison. lengths: (2, n) characters of the first and the second response.
    """
    first, second = lengths
    says = ((choices == 1) | (choices == 2)) & (first != second)
    return np.where(says, (choices == 1) == (first > second), -1)


def length_preference(choices: Integers, lengths: Integers, bootstrap: PromptBootstrap | None = None) -> Measure:
    """The share of choices for a response that went to the longer one; one half is no preference."""
    return share(took_longer(choices, lengths), undefined=NO_LENGTHS, bootstrap=bootstrap)


def quarters(lengths: Integers, counted: npt.NDArray[np.bool_]) -> tuple[Integers, list[tuple[str, str]]]:
    """Pairs cut into quarters of those that count, the shortest first; fewer where many are of one length.

    lengths: (n,) characters of both responses together. Gives each pair's quarter (n,), and of each quarter its name
    and what the review list is asked for its pairs, which is nothing where there is a single one.
    """
    cuts = sorted({int(cut) for cut in np.ceil(np.quantile(lengths[counted], [0.25, 0.5, 0.75]))} - {0})
    named = [_between(low, high) for low, high in zip([None, *cuts], [*cuts, None], strict=True)]
    return np.searchsorted(cuts, lengths, side="right"), named


def _between(low: int | None, high: int | None) -> tuple[str, str]:
    if low is None and high is None:
        return "any", ""
    # The end of a range is not part of it.
    asked = urlencode({"length": f"{'' if low is None else low}-{'' if high is None else high}"})
    if low is None:
        return f"under {high:,}", asked
    return (f"{low:,} or more" if high is None else f"{low:,} to {high - 1:,}"), asked
