"""Length control against a simulated truth, statsmodels, and full refits of resamples."""

import numpy as np
import pytest
import statsmodels.api as sm

from annotation.bootstrap import PromptBootstrap
from judging.scores.length_control import CERTAIN, EQUAL_LENGTHS, SEPARATE, length_control, win_rate

STRENGTHS = np.array([0.9, 0.1, -0.2, -0.8])
EFFECT = 1.5


def games(*, prompts: int = 300, seed: int = 0, effect: float = EFFECT, ties: float = 0.15) -> dict[str, np.ndarray]:
    """All pairs of four generators on each prompt, sides drawn; who is stronger also writes longer."""
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(4, 1)
    first, second = np.tile(a, prompts), np.tile(b, prompts)
    turned = rng.random(len(first)) < 0.5
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    texts = rng.gamma(2, 200, (prompts, 4)) * np.array([1.6, 1.2, 1.0, 0.6])
    prompt = np.repeat(np.arange(prompts), len(a))
    lengths = np.stack([texts[prompt, first], texts[prompt, second]]).astype(int)
    difference = (lengths[0] - lengths[1]).astype(float)
    shift = np.tanh(difference / np.sqrt((difference**2).mean()))
    log_odds = STRENGTHS[first] - STRENGTHS[second] + effect * shift
    said = np.where(rng.random(len(first)) < 1 / (1 + np.exp(-log_odds)), 1, 2)
    choices = np.where(rng.random(len(first)) < ties, 0, said)
    return {"first": first, "second": second, "choices": choices, "lengths": lengths, "prompt": prompt}


def fit(made: dict[str, np.ndarray], bootstrap: PromptBootstrap | None = None):
    return length_control(
        **{name: made[name] for name in ("first", "second", "choices", "lengths")}, n_generators=4, bootstrap=bootstrap
    )


def test_it_finds_the_truth_that_was_put_in() -> None:
    made = games(prompts=4000, ties=0.0)
    found = fit(made)
    assert found.strengths == pytest.approx(STRENGTHS, abs=0.06)
    assert found.effect.value == pytest.approx(EFFECT, abs=0.08)
    assert found.win_rate(0, 3).value == pytest.approx(1 / (1 + np.exp(-1.7)), abs=0.015)


def test_a_judge_that_likes_length_makes_the_raw_win_rate_of_the_wordy_higher() -> None:
    made = games(prompts=1000)
    raw = win_rate(**{name: made[name] for name in ("first", "second", "choices")}, generator=0, baseline=3)
    assert raw.value is not None
    assert raw.n == 1000
    assert raw.value > fit(made).win_rate(0, 3).value + 0.03


def test_the_same_numbers_as_statsmodels_with_ties_as_half_a_win() -> None:
    made = games(prompts=120, seed=3)
    found = fit(made)
    difference = (made["lengths"][0] - made["lengths"][1]).astype(float)
    spread = np.sqrt((difference**2).mean())
    design = np.eye(4)[made["first"]] - np.eye(4)[made["second"]]
    design = np.column_stack([design[:, 1:], np.tanh(difference / spread)])
    won = np.choose(made["choices"], [0.5, 1.0, 0.0])
    with np.errstate(all="ignore"):
        oracle = sm.GLM(won, design, family=sm.families.Binomial()).fit(tol=1e-12, maxiter=100).params
    strengths = np.array([0, *oracle[:3]])
    assert found.strengths == pytest.approx(strengths - strengths.mean(), abs=1e-7)
    assert found.effect.value == pytest.approx(oracle[3], abs=1e-7)
    assert found.spread == pytest.approx(spread)


def test_one_step_is_as_good_as_fitting_each_resample_anew() -> None:
    made = games(prompts=80, seed=5)
    quick = fit(made, PromptBootstrap(made["prompt"], 1000, 0))
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(400):
        drawn = np.concatenate([np.flatnonzero(made["prompt"] == prompt) for prompt in rng.integers(0, 80, 80)])
        resample = {name: made[name][..., drawn] for name in made}
        rates.append(fit(resample).win_rate(0, 3).value)
    low, high = np.quantile(rates, [0.025, 0.975])
    assert quick.win_rate(0, 3).interval == pytest.approx((low, high), abs=0.02)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = 1 / (1 + np.exp(-(STRENGTHS[1] - STRENGTHS[2])))
    held = 0
    for seed in range(100):
        made = games(prompts=60, seed=100 + seed, ties=0.0)
        low, high = fit(made, PromptBootstrap(made["prompt"], 300, seed)).win_rate(1, 2).interval
        held += low <= truth <= high
    assert 88 <= held <= 99


def test_turning_pairs_round_changes_nothing_and_both_views_make_a_whole() -> None:
    made = games(prompts=50, seed=7)
    turned = {
        **made,
        "first": made["second"],
        "second": made["first"],
        "lengths": made["lengths"][::-1],
        "choices": np.choose(made["choices"], [0, 2, 1]),
    }
    assert fit(turned).strengths == pytest.approx(fit(made).strengths, abs=1e-9)
    assert fit(made).win_rate(0, 1).value + fit(made).win_rate(1, 0).value == pytest.approx(1)
    assert fit(made).win_rate(2, 2).value == pytest.approx(0.5)


def test_what_is_no_choice_or_has_no_generator_is_not_counted() -> None:
    made = games(prompts=50)
    more = {
        "first": np.append(made["first"], [-1, 0, 0]),
        "second": np.append(made["second"], [1, 1, 1]),
        "choices": np.append(made["choices"], [1, -1, 3]),
        "lengths": np.column_stack([made["lengths"], [[9, 9, 9], [1, 1, 1]]]),
        "prompt": np.append(made["prompt"], [0, 0, 0]),
    }
    assert fit(more).strengths == pytest.approx(fit(made).strengths)
    assert fit(more).effect.n == len(made["first"])


def test_what_has_no_finite_answer_says_why() -> None:
    made = games(prompts=30)
    assert fit({**made, "lengths": np.full_like(made["lengths"], 7)}).undefined == EQUAL_LENGTHS
    always = np.where(made["first"] < made["second"], 1, 2)
    assert fit({**made, "choices": always}).undefined == SEPARATE
    longer = np.where(made["lengths"][0] > made["lengths"][1], 1, 2)
    certain = fit({**made, "choices": longer})
    assert certain.undefined == CERTAIN
    assert certain.win_rate(0, 1).value is None
    assert certain.rating(0) is None
    assert fit({**made, "first": np.full_like(made["first"], -1)}).undefined
