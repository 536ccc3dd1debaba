"""Gold rules, by hand and by what must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation import gold
from annotation.gold import NONE


def flat(*by_pair):
    """Labels of pairs as (rater, choice) lists, flat."""
    pairs = [pair for pair, labels in enumerate(by_pair) for _ in labels]
    raters = [rater for labels in by_pair for rater, _ in labels]
    choices = [choice for labels in by_pair for _, choice in labels]
    return {"pairs": np.array(pairs), "raters": np.array(raters), "choices": np.array(choices), "n_pairs": len(by_pair)}


VOTES = np.array([[0, 3, 0], [1, 0, 2], [1, 1, 1], [0, 1, 0], [0, 0, 0], [2, 2, 0]])


def test_a_majority_is_more_than_half_of_the_labels():
    assert gold.majority(VOTES).tolist() == [1, 2, NONE, 1, NONE, NONE]


def test_too_few_labels_make_no_majority():
    assert gold.majority(VOTES, at_least=2).tolist() == [1, 2, NONE, NONE, NONE, NONE]


def test_unanimous_needs_all_labels_and_two_of_them():
    assert gold.unanimous(VOTES).tolist() == [1, NONE, NONE, NONE, NONE, NONE]


def test_an_adjudication_comes_first():
    assert gold.adjudicated(np.array([1, NONE, 2]), np.array([NONE, 0, 1])).tolist() == [1, 0, 1]


def test_a_person_is_measured_by_the_majority_of_the_others():
    labels = flat([(0, 1), (1, 1), (2, 2)], [(0, 0)])
    del labels["raters"]
    assert gold.majority_of_others(**labels).tolist() == [NONE, NONE, 1, NONE]


def test_dawid_skene_by_hand():
    """Two raters, one pair in agreement on 1 and one in disagreement: the first steps of EM, by hand.

    Start: pair 0 is (0, 1, 0), pair 1 is (0, .5, .5). Prior (0, .75, .25). Rater 0 always said 1: rates 1 for both
    truths. Rater 1 said 1 then 2: given truth 1, weights 1 and .5, so 2/3 and 1/3; given truth 2, 0 and .5, so 0 and 1.
    Pair 0: .75 * 2/3 = .5 against 0. Pair 1: .75 * 1/3 = .25 against .25. A fixed point: likelihood .5 and .5.
    """
    labels = flat([(0, 1), (1, 1)], [(0, 1), (1, 2)])
    found = gold.dawid_skene(**labels, n_raters=2)
    assert found.posterior == pytest.approx(np.array([[0, 1, 0], [0, 0.5, 0.5]]))
    assert found.prior == pytest.approx([0, 0.75, 0.25])
    assert found.error_rates[1, 1] == pytest.approx([0, 2 / 3, 1 / 3])
    assert found.log_likelihood[0] == pytest.approx(2 * np.log(0.5))
    assert gold.most_probable(found.posterior).tolist() == [1, NONE]


def test_dawid_skene_finds_out_who_is_careless():
    """Two good raters and three that guess: the majority goes wrong where the model does not."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 2000)
    accuracy = [0.95, 0.95, 0.4, 0.4, 0.4]
    said = np.stack([np.where(rng.random(2000) < a, truth, rng.integers(0, 3, 2000)) for a in accuracy])
    labels = {"pairs": np.tile(np.arange(2000), 5), "choices": said.ravel(), "n_pairs": 2000}
    model = gold.dawid_skene(**labels, raters=np.repeat(np.arange(5), 2000), n_raters=5)
    by_model = (gold.most_probable(model.posterior) == truth).mean()
    by_majority = (gold.majority(gold.votes(**labels)) == truth).mean()
    assert by_model > by_majority + 0.05
    right = np.trace(model.error_rates, axis1=1, axis2=2) / 3
    expected = [a + (1 - a) / 3 for a in accuracy]
    assert right == pytest.approx(expected, abs=0.04)


labels_of_pairs = st.lists(
    st.dictionaries(st.integers(0, 3), st.integers(0, 2), max_size=4).map(lambda one: list(one.items())),
    min_size=1,
    max_size=25,
)


@given(labels_of_pairs)
def test_the_likelihood_never_falls_and_posteriors_are_probabilities(by_pair):
    labels = flat(*by_pair)
    labels = {key: value.astype(int) if key != "n_pairs" else value for key, value in labels.items()}
    found = gold.dawid_skene(**labels, n_raters=4)
    assert all(
        after >= before - 1e-9 for before, after in zip(found.log_likelihood, found.log_likelihood[1:], strict=False)
    )
    labelled = np.array([len(one) > 0 for one in by_pair])
    assert np.isnan(found.posterior[~labelled]).all()
    assert found.posterior[labelled].sum(axis=1) == pytest.approx(np.ones(labelled.sum()))


def test_no_label_at_all_is_no_gold():
    found = gold.dawid_skene(
        pairs=np.array([], int), raters=np.array([], int), choices=np.array([], int), n_pairs=2, n_raters=0
    )
    assert gold.most_probable(found.posterior).tolist() == [NONE, NONE]


# Dawid and Skene (1979), table 1: five anaesthetists on the fitness of 45 patients, a word each. The first of them
# classed every patient three times, which are the first three figures.
ANAESTHETISTS = """
    1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212
    1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111
    1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111
    2322222 1211111 2222222
"""


def test_dawid_skene_finds_what_its_authors_found():
    """Their table 2: how common the four classes are, and the first anaesthetist's error rates."""
    said = np.array([[int(figure) - 1 for figure in word] for word in ANAESTHETISTS.split()])
    found = gold.dawid_skene(
        pairs=np.repeat(np.arange(45), 7),
        raters=np.tile([0, 0, 0, 1, 2, 3, 4], 45),
        choices=said.ravel(),
        n_pairs=45,
        n_raters=5,
        n_choices=4,
    )
    assert found.converged
    assert found.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.error_rates[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
        [0, 0, 0.56, 0.44],
    ]


def plain_em(labels, n_raters, steps):
    """Dawid and Skene's two steps, written out one label at a time."""
    n_pairs = labels["n_pairs"]
    said = list(zip(labels["pairs"], labels["raters"], labels["choices"], strict=True))
    posterior = np.zeros((n_pairs, 3))
    for pair, _, choice in said:
        posterior[pair, choice] += 1
    labelled = posterior.sum(axis=1) > 0
    posterior[labelled] /= posterior[labelled].sum(axis=1, keepdims=True)
    for _ in range(steps):
        prior = posterior[labelled].mean(axis=0)
        rates = np.zeros((n_raters, 3, 3))
        for pair, rater, choice in said:
            rates[rater, :, choice] += posterior[pair]
        rates /= np.maximum(rates.sum(axis=2, keepdims=True), 1e-300)
        for pair in range(n_pairs):
            chances = prior.copy()
            for of, rater, choice in said:
                if of == pair:
                    chances = chances * rates[rater, :, choice]
            posterior[pair] = chances / chances.sum()
    posterior[~labelled] = np.nan
    return prior, rates, posterior


@given(labels_of_pairs)
def test_dawid_skene_is_its_two_steps_written_out(by_pair):
    labels = {key: value.astype(int) if key != "n_pairs" else value for key, value in flat(*by_pair).items()}
    if not len(labels["pairs"]):
        return
    found = gold.dawid_skene(**labels, n_raters=4, tolerance=0, max_iterations=6)
    prior, rates, posterior = plain_em(labels, 4, len(found.log_likelihood))
    assert found.prior == pytest.approx(prior)
    assert found.error_rates == pytest.approx(rates, abs=1e-9)
    assert found.posterior == pytest.approx(posterior, abs=1e-9, nan_ok=True)
