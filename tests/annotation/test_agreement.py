"""Measures of agreement against published examples, against the libraries that define them, and on real data."""

import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from annotation import agreement, gold
from annotation.bootstrap import PromptBootstrap, percentile_interval
from tests.pandalm import TEST_SET, needs_pandalm, rows


def of_votes(measure, votes):
    compositions, index = agreement.compositions_of(votes)
    return float(measure(compositions, np.bincount(index, minlength=len(compositions))))


def test_cohens_kappa_of_a_textbook_table():
    """Fifty proposals, two readers: both yes 20, both no 15, 5 and 10 apart. Observed .7, expected .5, kappa .4."""
    assert float(agreement.cohen_kappa([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_cohens_kappa_is_not_defined_where_chance_explains_all():
    assert np.isnan(agreement.cohen_kappa([[7, 0], [0, 0]]))


def test_fleiss_kappa_of_the_worked_example_with_fourteen_raters_and_five_categories():
    ratings = """0 0 0 0 14  0 2 6 4 2  0 0 3 5 6  0 3 9 2 0  2 2 8 1 1
                 7 7 0 0 0  3 2 6 3 0  2 5 3 2 2  6 5 2 1 0  0 2 2 3 7"""
    votes = np.array(ratings.split(), dtype=int).reshape(10, 5)
    assert float(agreement.fleiss_kappa(votes, np.ones(10))) == pytest.approx(0.210, abs=0.0005)


def test_krippendorffs_alpha_of_his_own_example_with_missing_data():
    """Computing Krippendorff's Alpha-Reliability (2011), part C: four observers, twelve units, nominal alpha .743."""
    said = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
            [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
        ]
    )
    votes = np.stack([(said == value).sum(axis=0) for value in range(1, 6)], axis=1)
    assert float(agreement.krippendorff_alpha(votes, np.ones(12))) == pytest.approx(0.743, abs=0.0005)


def test_fleiss_kappa_by_hand():
    """Three raters, pairs (3,0,0) (0,3,0) (1,2,0): observed (1 + 1 + 1/3) / 3; shares 4/9, 5/9."""
    votes = np.array([[3, 0, 0], [0, 3, 0], [1, 2, 0]])
    observed, expected = 7 / 9, (4 / 9) ** 2 + (5 / 9) ** 2
    assert of_votes(agreement.fleiss_kappa, votes) == pytest.approx((observed - expected) / (1 - expected))


def test_fleiss_kappa_takes_the_pairs_with_most_labels():
    votes = np.array([[3, 0, 0], [0, 3, 0], [1, 2, 0]])
    assert of_votes(agreement.fleiss_kappa, np.vstack([votes, [[1, 1, 0]]])) == of_votes(agreement.fleiss_kappa, votes)


def test_krippendorffs_alpha_by_hand():
    """Two raters, six pairs: 2 x tie-tie, 2 x 1-1, 1 x 2-2, 1 x 1-2.

    Twelve labels: 4 ties, 5 ones, 3 twos. Observed disagreement 2 of 12; expected (144 - 16 - 25 - 9) / (12 * 11).
    """
    votes = np.array([[2, 0, 0]] * 2 + [[0, 2, 0]] * 2 + [[0, 0, 2], [0, 1, 1]])
    assert of_votes(agreement.krippendorff_alpha, votes) == pytest.approx(1 - (2 / 12) / (94 / 132))


many_votes = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30).map(np.array)


@given(many_votes)
def test_alpha_is_the_krippendorff_librarys(votes):
    ours = of_votes(agreement.krippendorff_alpha, votes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = krippendorff.alpha(value_counts=votes, level_of_measurement="nominal")
        except ValueError:
            theirs = np.nan
    if (votes.sum(axis=1) > 1).any() and (votes[votes.sum(axis=1) > 1].sum(axis=0) > 0).sum() > 1:
        assert ours == pytest.approx(theirs)
    else:
        assert np.isnan(ours)


@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=2, max_size=30))
def test_fleiss_kappa_is_statsmodels(labels):
    votes = np.stack([np.bincount(one, minlength=3) for one in labels])
    assume((votes.sum(axis=0) > 0).sum() > 1)
    assert of_votes(agreement.fleiss_kappa, votes) == pytest.approx(statsmodels_fleiss(votes))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=40))
def test_cohens_kappa_between_two_raters_is_scikit_learns(both):
    a, b = np.array(both).T
    n = len(a)
    assume(len(set(a) | set(b)) > 1)
    tables = agreement.between(
        pairs=np.tile(np.arange(n), 2),
        raters=np.repeat([1, 0], n),
        choices=np.concatenate([b, a]),
        n_pairs=n,
        n_raters=2,
    )
    assert float(agreement.cohen_kappa(tables[0, 1])) == pytest.approx(cohen_kappa_score(a, b))


def test_raters_who_share_no_pair_have_no_kappa_and_are_told_so():
    tables = agreement.between(
        pairs=np.array([0, 1]), raters=np.array([0, 1]), choices=np.array([1, 1]), n_pairs=2, n_raters=2
    )
    found = agreement.measured(agreement.cohen_kappa(tables[0, 1]), undefined=agreement.why_undefined("cohen_kappa"))
    assert found.value is None
    assert "share no pair" in found.undefined


def test_splits():
    votes = np.array([[3, 0, 0], [1, 2, 0], [1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert agreement.splits(votes) == agreement.Splits(unanimous=1, majority=1, none=2, too_few=2)


def test_position_counts_sides_and_not_choices():
    """Chosen 1 unswapped and 2 swapped were both shown first; ties and unknown sides don't count."""
    found = agreement.position(np.array([1, 2, 1, 2, 0, 1]), np.array([0, 1, 1, 0, 0, -1]))
    assert (found.value, found.n) == (0.5, 4)
    assert agreement.position(np.array([1, 2, 1]), np.array([0, 1, 1])).value == pytest.approx(2 / 3)
    assert agreement.position(np.array([0]), np.array([0])).undefined


def test_the_bootstrap_resamples_prompts_and_not_pairs():
    """One prompt of fifty pairs that agree wholly and one of fifty that do not: a resample is one of three outcomes."""
    codes = np.repeat([0, 1], 50)
    drawn = PromptBootstrap(codes, resamples=4000, seed=1).counts(codes, 2)
    outcomes, how_often = np.unique(drawn[:, 0], return_counts=True)
    assert outcomes.tolist() == [0, 50, 100]
    assert how_often / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    assert (drawn.sum(axis=1) == 100).all()


def test_the_same_seed_gives_the_same_interval_and_another_another():
    rng = np.random.default_rng(0)
    prompts, codes = rng.integers(0, 40, 300), rng.integers(0, 4, 300)
    first, again, other = (PromptBootstrap(prompts, 500, seed).counts(codes, 4) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_many_prompts_are_resampled_as_few_are(monkeypatch):
    """The quick way for many prompts gives the same distribution as the plain one."""
    rng = np.random.default_rng(0)
    prompts, codes = rng.integers(0, 400, 1000), rng.integers(-1, 3, 1000)
    plain = PromptBootstrap(prompts, 4000, 1).counts(codes, 3)
    monkeypatch.setattr("annotation.bootstrap.SHARED_LIMIT", 0)
    quick = PromptBootstrap(prompts, 4000, 1).counts(codes, 3)
    assert quick.mean(axis=0) == pytest.approx(plain.mean(axis=0), rel=0.01)
    assert np.cov(quick.T) == pytest.approx(np.cov(plain.T), rel=0.15, abs=15)


def test_many_prompts_of_many_kinds_have_the_intervals_that_drawing_each_would_give(monkeypatch):
    rng = np.random.default_rng(3)
    prompts = np.arange(4000).repeat(6)
    likes = rng.random(4000).repeat(6)
    codes = np.where(rng.random(24000) < likes, 0, rng.integers(-1, 5, 24000))
    monkeypatch.setattr("annotation.bootstrap.DRAWN_LIMIT", 10**12)
    drawn = PromptBootstrap(prompts, 2000, 1).counts(codes, 5)
    monkeypatch.setattr("annotation.bootstrap.DRAWN_LIMIT", 0)
    limit = PromptBootstrap(prompts, 2000, 1).counts(codes, 5)
    for code in range(5):
        ends = (np.quantile(counts[:, code], [0.025, 0.975]) for counts in (drawn, limit))
        (low, high), (other_low, other_high) = ends
        assert abs(low - other_low) + abs(high - other_high) < 0.1 * (high - low)
    np.testing.assert_allclose(np.corrcoef(limit.T), np.corrcoef(drawn.T), atol=0.08)
    assert (PromptBootstrap(prompts, 50, 2).counts(np.where(prompts, -1, 0), 1) >= 0).all()


def test_the_interval_covers_what_is_true_about_as_often_as_it_says():
    """A hundred and twenty samples of 60 prompts with 5 alike pairs each: the clustered interval covers the truth."""
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(120):
        rate = rng.beta(2, 2, 60)
        codes = (rng.random((60, 5)) < rate[:, None]).astype(int).ravel()
        drawn = PromptBootstrap(np.repeat(np.arange(60), 5), 400, seed).counts(codes, 2)
        low, high = percentile_interval(drawn[:, 1] / 300)
        covered += low <= 0.5 <= high
    assert 0.88 <= covered / 120 <= 1


def test_no_interval_where_too_many_resamples_have_no_value():
    assert percentile_interval(np.array([0.5] * 90 + [np.nan] * 10)) is None
    assert percentile_interval(np.array([0.5] * 99 + [np.nan])) == (0.5, 0.5)


@pytest.fixture
def people():
    labels = np.array([[row[f"annotator{k}"] for k in (1, 2, 3)] for row in rows(TEST_SET)])
    n = len(labels)
    return {
        "pairs": np.repeat(np.arange(n), 3),
        "raters": np.tile(np.arange(3), n),
        "choices": labels.ravel(),
        "n_pairs": n,
    }


def test_each_measure_tells_on_how_many_pairs_it_is_taken():
    """Of six pairs one has a single label, three have two and two have three, which alone Fleiss' kappa counts."""
    votes = np.array([[0, 1, 0], [0, 2, 0], [0, 1, 1], [1, 0, 1], [0, 3, 0], [0, 1, 2]])
    found = agreement.overall(votes)
    assert {name: measure.n for name, measure in found.items()} == {
        "raw_agreement": 5,
        "fleiss_kappa": 2,
        "krippendorff_alpha": 5,
    }


@needs_pandalm
def test_people_on_pandalms_test_set(people):
    votes = gold.votes(pairs=people["pairs"], choices=people["choices"], n_pairs=999)
    decided = gold.majority(votes)
    assert np.bincount(decided).tolist() == [105, 422, 472]
    assert agreement.splits(votes) == agreement.Splits(unanimous=879, majority=120, none=0, too_few=0)
    found = agreement.overall(votes)
    assert round(found["fleiss_kappa"].value, 3) == 0.864
    assert round(found["krippendorff_alpha"].value, 3) == 0.864
    kappas = agreement.cohen_kappa(agreement.between(**people, n_raters=3))
    assert [round(float(kappas[a, b]), 3) for a, b in ((0, 1), (0, 2), (1, 2))] == [0.852, 0.879, 0.862]


@needs_pandalm
def test_pandalms_test_set_has_170_prompts_and_intervals_that_know_it(people):
    texts = [(row["instruction"], row["input"]) for row in rows(TEST_SET)]
    prompts = np.unique([f"{a}\0{b}" for a, b in texts], return_inverse=True)[1]
    assert len(set(texts)) == 170
    votes = gold.votes(pairs=people["pairs"], choices=people["choices"], n_pairs=999)
    clustered = agreement.overall(votes, PromptBootstrap(prompts))["fleiss_kappa"].interval
    pretended = agreement.overall(votes, PromptBootstrap(np.arange(999)))["fleiss_kappa"].interval
    assert clustered[1] - clustered[0] > 1.2 * (pretended[1] - pretended[0])
