"""Rates from a stratified sample, against published examples and against simulation."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from judging.audits.estimates import allocate, estimate, more_audits_until, stratum_intervals, wilson

# Lohr, Sampling: Design and Analysis, example 3.4: the survey of the American Council of Learned Societies. By
# discipline: members, valid answers, percentage of women among them.
ACLS = [
    (9100, 636, 38),
    (1950, 451, 27),
    (5500, 481, 18),
    (10850, 611, 19),
    (2100, 493, 36),
    (5500, 575, 13),
    (9000, 588, 26),
]


def test_lohrs_survey_of_learned_societies():
    population, audited, percent = np.array(ACLS).T
    found = estimate(population, audited, audited * percent / 100)
    assert round(found.share, 4) == 0.2465
    assert round(found.standard_error, 4) == 0.0071
    assert found.audited == 3835
    low, high = found.interval
    # So many answers make the interval nearly the normal one.
    assert low == pytest.approx(0.2465 - 1.96 * 0.0071, abs=0.001)
    assert high == pytest.approx(0.2465 + 1.96 * 0.0071, abs=0.001)


# Newcombe, Statistics in Medicine 17, 1998, pages 857 to 872, table I, method 3.
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("hits", "n", "low", "high"), NEWCOMBE)
def test_newcombes_examples_of_wilsons_interval(hits: int, n: int, low: float, high: float):
    found = wilson([hits], [n])
    assert (round(float(found[0][0]), 4), round(float(found[1][0]), 4)) == (low, high)


def test_wilson_as_statsmodels_has_it():
    hits, n = np.array([0, 3, 17, 40]), np.array([7, 9, 40, 40])
    low, high = proportion_confint(hits, n, method="wilson")
    np.testing.assert_allclose(wilson(hits, n), (low, high), atol=1e-12)


def test_one_stratum_is_wilsons_interval():
    (alone,) = stratum_intervals([10**9], [148], [15])
    assert estimate([10**9], [148], [15]).interval == pytest.approx(alone)
    assert alone == pytest.approx((0.0624, 0.1605), abs=5e-5)


@pytest.mark.parametrize("n_strata", [1, 4, 30])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_interval_covers_the_truth_as_often_as_it_says(n_strata: int, rate: float):
    rng = np.random.default_rng(n_strata)
    population = rng.integers(2_000, 20_000, n_strata)
    truth = np.clip(rate * rng.uniform(0.2, 1.8, n_strata), 0, 1)
    wrong = np.round(population * truth).astype(int)
    audited = np.array(allocate(population.tolist(), size=600, minimum=5, proportional=True))
    share = wrong.sum() / population.sum()
    found = [estimate(population, audited, rng.hypergeometric(wrong, population - wrong, audited)) for _ in range(1500)]
    assert np.mean([each.share for each in found]) == pytest.approx(share, rel=0.05)
    spread = np.std([each.share for each in found])
    assert np.sqrt(np.mean([each.standard_error**2 for each in found])) == pytest.approx(spread, rel=0.1)
    covered = np.mean([each.interval[0] <= share <= each.interval[1] for each in found])
    assert 0.93 <= covered <= 0.985


def test_equal_allocation_is_weighted_back():
    """A small stratum where all is wrong, drawn as often as a large one where all is right."""
    found = estimate([90, 10], [5, 5], [0, 5])
    assert found.share == pytest.approx(0.1)


def test_everything_audited_leaves_no_doubt():
    found = estimate([40, 60], [40, 60], [4, 0])
    assert (found.share, found.standard_error) == (pytest.approx(0.04), 0)
    assert found.interval == pytest.approx((0.04, 0.04))


def test_no_error_found_is_not_no_error():
    found = estimate([50_000, 50_000], [100, 100], [0, 0])
    assert found.share == 0
    assert found.interval[0] == 0
    assert found.interval[1] == pytest.approx(wilson([0], [200])[1][0], rel=0.01)


def test_strata_with_too_few_audits_are_estimated_together():
    found = estimate([100, 200, 300, 400], [1, 0, 1, 50], [1, 0, 0, 5])
    assert found.pooled == 3
    assert found.share == pytest.approx(0.6 * 0.5 + 0.4 * 0.1)


def test_nothing_audited_is_nothing_known():
    assert estimate([10, 20], [0, 0], [0, 0]) is None
    assert more_audits_until(0.1, population=[10], audited=[0], hits=[0], drawn=[5]) is None


def test_how_many_more_is_enough_and_no_more_than_enough():
    population, audited, hits, drawn = [200_000, 100_000], [60, 40], [6, 2], [1200, 800]
    more = more_audits_until(0.05, population=population, audited=audited, hits=hits, drawn=drawn)
    # By hand: 4 z^2 p (1 - p) / w^2 audits in all, p being 2/3 of 0.1 and 1/3 of 0.05.
    assert more + 100 == pytest.approx(4 * 1.96**2 * 0.0833 * 0.9167 / 0.05**2, rel=0.08)
    share = np.array(audited) + np.array(drawn) / 2000 * (more + 100) - np.array(audited)
    later = estimate(population, share, share * np.array([0.1, 0.05]))
    assert later.width == pytest.approx(0.05, rel=0.03)


def test_no_more_are_needed_where_the_interval_is_narrow_already():
    assert more_audits_until(0.2, population=[10_000], audited=[900], hits=[90], drawn=[1000]) == 0


def test_a_width_that_asks_for_everything():
    assert more_audits_until(1e-6, population=[100], audited=[10], hits=[3], drawn=[50]) == 90


def test_proportional_allocation():
    assert allocate([700, 200, 100], size=100, minimum=0, proportional=True) == [70, 20, 10]
    assert allocate([985, 10, 5], size=100, minimum=5, proportional=True) == [90, 5, 5]


def test_equal_allocation_gives_what_a_small_stratum_lacks_to_the_others():
    assert allocate([1000, 1000, 4], size=100, minimum=0, proportional=False) == [48, 48, 4]


def test_an_allocation_adds_up_and_keeps_to_the_strata():
    rng = np.random.default_rng(5)
    for _ in range(200):
        population = rng.integers(1, 5_000, rng.integers(1, 60)).tolist()
        size = int(rng.integers(300, 3_000))
        for proportional in (True, False):
            drawn = allocate(population, size=size, minimum=5, proportional=proportional)
            assert sum(drawn) == min(size, sum(population))
            assert all(min(5, n) <= each <= n for each, n in zip(drawn, population, strict=True))


def test_minima_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="12 labels are needed for 4 from each of 3 strata"):
        allocate([10, 10, 10], size=11, minimum=4, proportional=True)
