"""Which side a judge favours. Pure functions on arrays."""

import numpy as np

from annotation.agreement import Measure, first_share, measured, sides
from annotation.bootstrap import PromptBootstrap
from judging.scores.comparison import Passes

# Of the nine things that two passes may say about sides (none, first, second in each): how often the first, the second.
FIRST = np.array([(code // 3 == 1) + (code % 3 == 1) for code in range(9)], dtype=float)
SECOND = np.array([(code // 3 == 2) + (code % 3 == 2) for code in range(9)], dtype=float)


def judge_position(passes: Passes, *, undefined: str, bootstrap: PromptBootstrap | None = None) -> Measure:
    """The share of choices for the response that the judge saw first, over all its verdicts that chose a side."""
    given = sides(passes.given, np.zeros(len(passes.given), dtype=int)) + 1
    swapped = sides(passes.swapped, np.ones(len(passes.swapped), dtype=int)) + 1
    # Both orders of a pair make one code, because they are resampled together.
    codes = given * 3 + swapped
    counts = np.bincount(codes, minlength=9)
    drawn = bootstrap.counts(codes, 9) if bootstrap else None
    return measured(
        first_share(counts @ FIRST, counts @ SECOND),
        resampled=None if drawn is None else first_share(drawn @ FIRST, drawn @ SECOND),
        undefined=undefined,
        n=int(counts @ (FIRST + SECOND)),
    )
