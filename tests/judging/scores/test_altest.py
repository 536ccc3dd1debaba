"""The alternative annotator test, by hand and by what its paper says must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from judging.scores import altest
from judging.scores.comparison import ABSENT, INVALID


def labels(table):
    """A table (pairs, raters) of choices, -1 where there is none, flat."""
    table = np.array(table)
    pairs, raters = np.nonzero(table >= 0)
    return {"pairs": pairs, "raters": raters, "choices": table[pairs, raters], "n_raters": table.shape[1]}


def test_by_hand():
    """Forty pairs, three people; each person's two others agree on 1 in all of them.

    Person 0 says 1 in 30 and 2 in 10. The judge says 1 in 36. Against person 0, the others are both 1: the judge is
    ahead or level where it says 1 or the person says 2; the six where it says 2 lie among the person's 30.
    """
    said = np.array([[1, 1, 1]] * 30 + [[2, 1, 1]] * 10)
    judge = np.array([2] * 6 + [1] * 34)
    found = altest.alt_test(**labels(said), verdicts=judge)
    first = found.people[0]
    assert first.judge_ahead == pytest.approx(34 / 40)
    assert first.person_ahead == pytest.approx(30 / 40)
    ahead, behind = np.array([0] * 6 + [1] * 34), np.array([1] * 30 + [0] * 10)
    by_hand = ttest_rel(behind - 0.2, ahead, alternative="less").pvalue
    assert first.p == pytest.approx(by_hand)
    # Person 1: the others are (1, 1) in 30 pairs and (2, 1) in 10. The judge is behind in the six alone, level else.
    assert found.people[1].judge_ahead == pytest.approx(34 / 40)
    assert found.people[1].person_ahead == 1
    assert found.advantage_probability == pytest.approx(34 / 40)


def test_a_judge_that_says_what_the_majority_says_always_wins():
    """The paper's theorem: the majority is the optimal judge under accuracy, with an advantage probability of one."""
    rng = np.random.default_rng(0)
    said = rng.integers(0, 3, (200, 5))
    most = np.array([np.bincount(row, minlength=3).argmax() for row in said])
    found = altest.alt_test(**labels(said), verdicts=most)
    assert found.winning_rate == 1
    assert found.advantage_probability > 0.8


def test_a_judge_that_is_never_right_never_wins():
    found = altest.alt_test(**labels([[1, 1, 1]] * 50), verdicts=np.full(50, 2))
    assert (found.winning_rate, found.advantage_probability) == (0, 0)


def test_an_invalid_verdict_agrees_with_nobody_and_an_absent_one_is_left_out():
    said = [[1, 1, 1]] * 80
    assert altest.alt_test(**labels(said), verdicts=np.full(80, INVALID)).advantage_probability == 0
    half = altest.alt_test(**labels(said), verdicts=np.array([1] * 40 + [ABSENT] * 40))
    assert [person.n for person in half.people] == [40, 40, 40]
    assert half.winning_rate == 1


def test_people_with_fewer_than_thirty_pairs_are_not_tested_and_nobody_is_said_so():
    said = np.full((60, 3), 1)
    said[29:, 2] = -1
    assert [person.rater for person in altest.alt_test(**labels(said), verdicts=np.full(60, 1)).people] == [0, 1]
    few = altest.alt_test(**labels(said[:20]), verdicts=np.full(20, 1))
    assert few.winning_rate is None
    assert "30 pairs" in few.undefined


def test_a_pair_needs_two_labels():
    said = np.full((80, 2), 1)
    said[40:, 1] = -1
    assert [person.n for person in altest.alt_test(**labels(said), verdicts=np.full(80, 1)).people] == [40, 40]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_yekutieli_is_statsmodels(p):
    assert altest.benjamini_yekutieli(p, 0.05).tolist() == multipletests(p, 0.05, method="fdr_by")[0].tolist()


def test_epsilon_helps_the_judge():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 300)
    said = np.stack([np.where(rng.random(300) < 0.9, truth, rng.integers(0, 3, 300)) for _ in range(3)], axis=1)
    judge = np.where(rng.random(300) < 0.85, truth, rng.integers(0, 3, 300))
    rates = [altest.alt_test(**labels(said), verdicts=judge, epsilon=e).winning_rate for e in (0, 0.1, 0.2, 0.5)]
    assert rates == sorted(rates)
    assert rates[0] < rates[-1] == 1
