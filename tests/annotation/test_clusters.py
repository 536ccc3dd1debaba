"""Intervals for many numbers: as the bootstrap's where both can be had, and covering what is true."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from annotation import agreement, clusters
from annotation.bootstrap import PromptBootstrap


def alike(n_prompts: int, of_each: int, *, seed: int = 0):
    """Codes 0..8 of two raters who agree more on some prompts than on others."""
    rng = np.random.default_rng(seed)
    prompts = np.repeat(np.arange(n_prompts), of_each)
    agrees = rng.random(len(prompts)) < rng.beta(4, 2, n_prompts)[prompts]
    one = rng.integers(0, 3, len(prompts))
    other = np.where(agrees, one, rng.integers(0, 3, len(prompts)))
    return prompts, one * 3 + other


def kappa(counts):
    return agreement.cohen_kappa(counts.reshape(*counts.shape[:-1], 3, 3))


def test_the_quick_interval_of_a_kappa_is_the_bootstraps():
    prompts, codes = alike(1500, 6)
    asked = {"bootstrap": PromptBootstrap(prompts), "items": np.arange(len(codes)), "codes": codes, "n_codes": 9}
    slow, quick = clusters.interval(kappa, **asked), clusters.interval(kappa, **asked, quick=True)
    assert quick == pytest.approx(slow, abs=0.004)
    assert quick[1] - quick[0] == pytest.approx(slow[1] - slow[0], rel=0.06)


def test_the_quick_interval_of_alpha_is_the_bootstraps():
    rng = np.random.default_rng(4)
    compositions = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3], [2, 1, 0], [1, 2, 0], [1, 1, 1]])
    prompts = np.repeat(np.arange(1800), 3)
    codes = (rng.integers(0, 6, 1800)[prompts] + (rng.random(len(prompts)) < 0.2)) % 6
    asked = {"bootstrap": PromptBootstrap(prompts), "items": np.arange(len(codes)), "codes": codes, "n_codes": 6}

    def alpha(counts):
        return agreement.krippendorff_alpha(compositions, counts)

    slow, quick = clusters.interval(alpha, **asked), clusters.interval(alpha, **asked, quick=True)
    assert quick == pytest.approx(slow, abs=0.004)


def test_with_very_many_prompts_the_quick_one_is_taken():
    prompts, codes = alike(3000, 1)
    asked = {"bootstrap": PromptBootstrap(prompts), "items": np.arange(len(codes)), "codes": codes, "n_codes": 9}
    assert clusters.interval(kappa, **asked) == clusters.interval(kappa, **asked, quick=True)


def test_of_some_items_it_is_the_interval_of_these_alone():
    prompts, codes = alike(200, 5)
    some = np.flatnonzero(np.random.default_rng(1).random(len(codes)) < 0.5)
    part = {"bootstrap": PromptBootstrap(prompts[some]), "items": np.arange(len(some)), "codes": codes[some]}
    whole = {"bootstrap": PromptBootstrap(prompts), "items": some, "codes": codes[some]}
    assert clusters.interval(kappa, **part, n_codes=9, quick=True) == clusters.interval(
        kappa, **whole, n_codes=9, quick=True
    )


def test_no_interval_from_one_prompt_or_without_a_value():
    one = {"bootstrap": PromptBootstrap(np.zeros(5)), "items": np.arange(5), "n_codes": 9, "quick": True}
    assert clusters.interval(kappa, **one, codes=np.array([0, 0, 4, 8, 1])) is None
    alone = {"bootstrap": PromptBootstrap(np.arange(5)), "items": np.arange(5), "n_codes": 9, "quick": True}
    assert clusters.interval(kappa, **alone, codes=np.zeros(5, dtype=int)) is None


def test_a_share_of_independent_items_has_wilsons_interval():
    """Each item has a prompt of its own: the variance is the binomial's but for n - 1, and at most n items count."""
    hits = np.array([True] * 30 + [False] * 70)
    share, low, high = clusters.shares(hits=hits, groups=np.zeros(100, int), prompts=np.arange(100), n_groups=1)
    assert share[0] == 0.3
    assert (low[0], high[0]) == pytest.approx(proportion_confint(30, 100, method="wilson"), abs=0.002)


def test_items_that_are_all_alike_within_a_prompt_count_once_a_prompt():
    hits = np.repeat([True, False, True, False, False, True, True, False] * 5, 10)
    prompts = np.repeat(np.arange(40), 10)
    _, low, high = clusters.shares(hits=hits, groups=np.zeros(400, int), prompts=prompts, n_groups=1)
    assert (low[0], high[0]) == pytest.approx(proportion_confint(20, 40, method="wilson"), abs=0.005)


def test_all_hits_have_an_interval_and_no_items_none():
    share, low, high = clusters.shares(
        hits=np.ones(60, dtype=bool), groups=np.ones(60, int), prompts=np.arange(60) // 2, n_groups=3
    )
    assert np.isnan([share[0], low[0], share[2]]).all()
    assert (low[1], high[1]) == pytest.approx(proportion_confint(30, 30, method="wilson"))


def test_intervals_of_shares_cover_what_is_true():
    rng = np.random.default_rng(9)
    groups = 400
    rates = rng.beta(3, 2, (groups, 40))
    hits = (rng.random((groups, 40, 5)) < rates[..., None]).ravel()
    _, low, high = clusters.shares(
        hits=hits,
        groups=np.repeat(np.arange(groups), 200),
        prompts=np.repeat(np.arange(groups * 40), 5),
        n_groups=groups,
    )
    assert 0.92 <= ((low <= 0.6) & (high >= 0.6)).mean() <= 0.98
