"""Each rater beside the others: by hand, by brute force, and on the PandaLM test set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation import raters
from annotation.bootstrap import PromptBootstrap
from annotation.gold import NONE
from annotation.raters import Ratings
from tests.pandalm import TEST_SET, needs_pandalm, rows


def ratings_of(by_pair: list[dict[int, int]], *, n_people: int, n_raters: int, **fields: object) -> Ratings:
    """Pairs as {rater: choice}, people's labels first as they come from the database."""
    flat = [(pair, rater, said[rater]) for pair, said in enumerate(by_pair) for rater in sorted(said)]
    flat.sort(key=lambda label: label[1] >= n_people)
    pairs, who, what = (np.array([label[part] for label in flat], dtype=int) for part in range(3))
    bootstrap = PromptBootstrap(np.arange(len(by_pair)), resamples=200)
    return Ratings(pairs, who, what, len(by_pair), n_raters, n_people, bootstrap, **fields)


some_pairs = st.lists(st.dictionaries(st.integers(0, 4), st.integers(0, 2), max_size=5), min_size=1, max_size=25)


@given(some_pairs)
def test_the_rest_is_the_majority_of_the_other_people(by_pair):
    """Raters 3 and 4 are judges: they never count among the rest, and are held against all people."""
    found = ratings_of(by_pair, n_people=3, n_raters=5)
    rest = raters.what_the_rest_says(found)
    for pair, rater, said in zip(found.pairs, found.raters, rest, strict=True):
        others = [choice for other, choice in by_pair[pair].items() if other < 3 and other != rater]
        expected = next((c for c in range(3) if 2 * others.count(c) > len(others)), NONE)
        assert said == expected
    for rater, row in enumerate(raters.against_rest(found, rest)):
        own = (found.raters == rater) & (rest != NONE)
        assert row.table.sum() == row.agreement.n == own.sum()
        for true in range(3):
            for choice in range(3):
                assert row.table[true, choice] == (own & (rest == true) & (found.choices == choice)).sum()
        if own.any():
            assert row.agreement.value == pytest.approx((rest[own] == found.choices[own]).mean())
        if row.agreement.interval:
            assert row.agreement.interval[0] <= row.agreement.value <= row.agreement.interval[1]


def test_a_judge_is_held_against_as_many_labels_as_gold_needs():
    found = ratings_of([{0: 1, 2: 1}, {0: 1, 1: 1, 2: 2}], n_people=2, n_raters=3, enough=2)
    assert raters.what_the_rest_says(found).tolist() == [NONE, 1, 1, NONE, 1]


@given(some_pairs)
def test_each_two_are_compared_on_the_pairs_of_both(by_pair):
    found = raters.two_by_two(ratings_of(by_pair, n_people=5, n_raters=5))
    assert set(found) == {(a, b) for a in range(5) for b in range(a + 1, 5)}
    for (a, b), kappa in found.items():
        both = [(said[a], said[b]) for said in by_pair if a in said and b in said]
        assert kappa.n == len(both) or kappa.value is None
        if kappa.value is not None:
            agreed = np.mean([x == y for x, y in both])
            chance = sum(np.mean([x == c for x, _ in both]) * np.mean([y == c for _, y in both]) for c in range(3))
            assert kappa.value == pytest.approx((agreed - chance) / (1 - chance))


def test_a_hundred_labels_make_a_stretch_and_those_of_one_moment_stay_together():
    at = np.concatenate([np.arange(250.0), np.full(300, 7.0), np.arange(150) // 100 * 10.0])
    who = np.repeat([0, 1, 2], [250, 300, 150])
    shuffled = np.random.default_rng(0).permutation(len(at))
    found = np.empty(len(at), dtype=int)
    found[shuffled] = raters.by_hundreds(who[shuffled], at[shuffled], most=24)
    assert np.bincount(found[:250]).tolist() == [100, 100, 50]
    assert set(found[250:550]) == {0}
    assert np.bincount(found[550:]).tolist() == [100, 50]


def test_somebody_with_very_many_labels_has_longer_stretches():
    found = raters.by_hundreds(np.zeros(5000, dtype=int), np.arange(5000.0), most=10)
    assert np.bincount(found).tolist() == [500] * 10


def test_weeks_begin_on_monday():
    monday, sunday = 1_793_577_600.0, 1_793_577_600.0 - 1  # 2 November 2026, 00:00 UTC
    week = raters.by_week(np.array([sunday, monday, monday + 7 * 86400 - 1, monday + 7 * 86400]))
    assert (week - week[0]).tolist() == [0, 1, 1, 2]


def test_drift_by_hand():
    found = raters.drift(
        raters=np.array([0, 0, 0, 1]),
        stretches=np.array([0, 0, 2, 1]),
        at=np.array([5.0, 3.0, 9.0, 4.0]),
        right=np.array([1, 0, -1, 1]),
        prompts=np.arange(4),
    )
    seen = [(s.rater, s.first, s.last, s.labels, s.agreement.value, s.agreement.n) for s in found]
    assert seen == [(0, 3.0, 5.0, 2, 0.5, 2), (0, 9.0, 9.0, 1, None, 0), (1, 4.0, 4.0, 1, 1.0, 1)]


def test_nothing_said_is_nothing_found():
    none = np.array([], dtype=int)
    assert raters.drift(raters=none, stretches=none, at=none.astype(float), right=none, prompts=none) == []
    assert raters.by_hundreds(none, none.astype(float), most=3).tolist() == []


def test_shares_leave_out_what_is_neither():
    found = raters.shares_of(
        hits=np.array([1, 0, -1, -1]), raters=np.array([0, 0, 0, 1]), prompts=np.arange(4), n_raters=2, undefined="no"
    )
    assert (found[0].value, found[0].n, found[1].value, found[1].undefined) == (0.5, 2, None, "no")


@needs_pandalm
def test_people_of_the_pandalm_test_set():
    said = [{k: row[f"annotator{k + 1}"] for k in range(3)} for row in rows(TEST_SET)]
    found = ratings_of(said, n_people=3, n_raters=3)
    kappas = raters.two_by_two(found)
    assert [round(kappas[two].value, 3) for two in ((0, 1), (0, 2), (1, 2))] == [0.852, 0.879, 0.862]
    assert all(kappa.n == 999 for kappa in kappas.values())
    against = raters.against_rest(found, raters.what_the_rest_says(found))
    for rater, row in enumerate(against):
        others = [[said[pair][other] for other in range(3) if other != rater] for pair in range(999)]
        agreed = [pair for pair in range(999) if others[pair][0] == others[pair][1]]
        right = sum(said[pair][rater] == others[pair][0] for pair in agreed)
        assert (row.agreement.n, row.agreement.value) == (len(agreed), pytest.approx(right / len(agreed)))
