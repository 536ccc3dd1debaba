"""The alternative annotator test: may a judge stand in for a human annotator? Pure functions on arrays.

Calderon, Reichart and Dror (2025), The Alternative Annotator Test for LLM-as-a-Judge, arXiv 2501.10970. Each person in
turn is left out, and it is counted how often the judge represents the other people at least as well as that person.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.bootstrap import Floats, Integers
from annotation.gold import votes
from judging.scores.comparison import ABSENT, INVALID

EPSILON = 0.2
Q = 0.05
LABELS_A_PAIR = 2
PAIRS_A_PERSON = 30


@dataclass(frozen=True)
class AgainstPerson:
    """The judge against one person, who is left out. judge_ahead and person_ahead: shares of pairs, ties in both."""

    rater: int
    n: int
    judge_ahead: float
    person_ahead: float
    p: float
    won: bool


@dataclass(frozen=True)
class AltTest:
    """winning_rate: the share of people whom the judge beats; it may replace them where that is at least a half.

    advantage_probability: how likely the judge represents people as well as one of them, averaged over them.
    Both are None where nobody could be tested, and `undefined` says why.
    """

    epsilon: float
    winning_rate: float | None
    advantage_probability: float | None
    people: list[AgainstPerson]
    undefined: str = ""


def alt_test(
    *, pairs: Integers, raters: Integers, choices: Integers, verdicts: Integers, n_raters: int, epsilon: float = EPSILON
) -> AltTest:
    """Labels come flat, as in annotation.gold; verdicts (n_pairs,) are choices, INVALID (aligned with none) or ABSENT.

    Counts pairs with at least two labels and people with at least 30 such pairs, accuracy being the measure of
    alignment, as the paper has it for labels that are classes.
    """
    n_labels = np.bincount(pairs, minlength=len(verdicts))
    counted = (n_labels[pairs] >= LABELS_A_PAIR) & (verdicts[pairs] != ABSENT)
    # As the authors' procedure does, people with too few pairs leave first; what they said still counts for nobody.
    enough = np.bincount(raters[counted], minlength=n_raters) >= PAIRS_A_PERSON
    counted &= enough[raters]
    pairs, raters, choices = pairs[counted], raters[counted], choices[counted]
    still = np.bincount(pairs, minlength=len(verdicts))[pairs] >= LABELS_A_PAIR
    pairs, raters, choices = pairs[still], raters[still], choices[still]
    tested = [int(rater) for rater in np.unique(raters)]
    if not tested:
        why = f"Nobody has {PAIRS_A_PERSON} pairs with this judge's verdict and at least {LABELS_A_PAIR} labels."
        return AltTest(epsilon, None, None, [], why)
    judge, person = _aligned(pairs, choices, verdicts)
    people = _against_people(tested, raters, judge, person, epsilon)
    return AltTest(
        epsilon,
        sum(one.won for one in people) / len(people),
        float(np.mean([one.judge_ahead for one in people])),
        people,
    )


def _aligned(pairs: Integers, choices: Integers, verdicts: Integers) -> tuple[Integers, Integers]:
    """For each label, how many of the pair's other labels the verdict agrees with, and how many the label does."""
    counts = votes(pairs=pairs, choices=choices, n_pairs=len(verdicts))[pairs]
    own = np.arange(len(pairs))
    counts[own, choices] -= 1
    said = verdicts[pairs]
    judge = np.where(said == INVALID, 0, counts[own, np.where(said == INVALID, 0, said)])
    return judge, counts[own, choices]


def _against_people(
    tested: list[int], raters: Integers, judge: Integers, person: Integers, epsilon: float
) -> list[AgainstPerson]:
    ahead, behind = (judge >= person).astype(float), (person >= judge).astype(float)
    p = np.array([p_of(behind[raters == rater] - ahead[raters == rater], epsilon) for rater in tested])
    won = benjamini_yekutieli(p, Q)
    return [
        AgainstPerson(
            rater,
            int((raters == rater).sum()),
            float(ahead[raters == rater].mean()),
            float(behind[raters == rater].mean()),
            float(p[i]),
            bool(won[i]),
        )
        for i, rater in enumerate(tested)
    ]


def p_of(differences: Floats, epsilon: float) -> float:
    """One-sided paired t-test that the person's lead over the judge is below epsilon.

    Differences that are all the same have no spread to test with: the mean decides.
    """
    from scipy.stats import ttest_1samp  # Half a second, for those alone who ask.

    if len(differences) < 2 or np.ptp(differences) == 0:
        return 0.0 if len(differences) > 1 and differences[0] < epsilon else 1.0
    return float(ttest_1samp(differences, epsilon, alternative="less").pvalue)


def benjamini_yekutieli(p: npt.ArrayLike, q: float) -> npt.NDArray[np.bool_]:
    """Which hypotheses are rejected at a false discovery rate of q, whatever their dependence.

    Benjamini and Yekutieli (2001), The control of the false discovery rate in multiple testing under dependency.
    """
    p = np.asarray(p, dtype=float)
    m = len(p)
    ranks = np.arange(1, m + 1)
    order = np.argsort(p, kind="stable")
    under = p[order] <= ranks * q / (m * (1 / ranks).sum())
    rejected = np.zeros(m, dtype=bool)
    if under.any():
        rejected[order[: int(np.flatnonzero(under)[-1]) + 1]] = True
    return rejected
