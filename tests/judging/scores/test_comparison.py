"""Judges against gold and each other: by hand, against scikit-learn, and PandaLM's published files to the digit."""

import evalica
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from annotation import gold as golds
from annotation.bootstrap import PromptBootstrap
from judging.backends.baseline import longer
from judging.scores import comparison
from judging.scores.calibration import brier, expected_calibration_error, probabilities, reliability
from judging.scores.comparison import ABSENT, INVALID, Passes
from judging.scores.policies import PRESETS, Conflict, Invalid, UnknownPolicyError, policy_named, policy_of
from judging.scores.position import judge_position
from judging.scores.ratings import CENTRE, SCALE, ratings, strongly_connected
from tests.pandalm import GPT, PANDALM, TEST_SET, needs_pandalm, rows

choices = st.integers(0, 2)


def passes(given_, swapped=None, p_given=None, p_swapped=None, *, both=False):
    n = len(given_)
    none = np.full((n, 3), np.nan)
    return Passes(
        np.array(given_),
        np.full(n, ABSENT) if swapped is None else np.array(swapped),
        none if p_given is None else np.array(p_given, dtype=float),
        none if p_swapped is None else np.array(p_swapped, dtype=float),
        both_asked=both,
    )


@given(st.lists(st.tuples(choices, st.integers(0, 3)), min_size=1, max_size=60))
def test_accuracy_precision_recall_f1_and_kappa_are_scikit_learns(both):
    gold, said = np.array(both).T
    found = {name: float(value) for name, value in comparison.classification(comparison.confusion(gold, said)).items()}
    p, r, f1, _ = precision_recall_fscore_support(gold, said, labels=[0, 1, 2], average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, said))
    assert (found["precision_macro"], found["recall_macro"], found["f1_macro"]) == pytest.approx((p, r, f1))
    p, r, f1, _ = precision_recall_fscore_support(gold, said, labels=[0, 1, 2], average="weighted", zero_division=0)
    weighted = found["precision_weighted"], found["recall_weighted"], found["f1_weighted"]
    assert weighted == pytest.approx((p, r, f1))
    assume(len(set(gold) | set(said)) > 1)
    assert found["kappa"] == pytest.approx(cohen_kappa_score(gold, said))


def test_nothing_to_score_is_explained():
    found = comparison.scored(np.array([ABSENT]), np.array([1]))
    assert found["accuracy"].value is None
    assert found["accuracy"].undefined == "No pair has both gold and a verdict."


BOTH = [(1, 1), (1, 2), (2, 0), (INVALID, 1), (INVALID, INVALID), (1, ABSENT), (ABSENT, ABSENT)]


@pytest.mark.parametrize(
    ("conflict", "invalid", "expected"),
    [
        ("tie", "wrong", [1, 0, 0, INVALID, INVALID, ABSENT, ABSENT]),
        ("tie", "out", [1, 0, 0, ABSENT, ABSENT, ABSENT, ABSENT]),
        ("tie", "tie", [1, 0, 0, 0, 0, ABSENT, ABSENT]),
        ("given", "wrong", [1, 1, 2, INVALID, INVALID, 1, ABSENT]),
        ("given", "out", [1, 1, 2, ABSENT, ABSENT, 1, ABSENT]),
        ("given", "tie", [1, 1, 2, 0, 0, 1, ABSENT]),
        ("average", "wrong", [1, 0, 0, INVALID, INVALID, ABSENT, ABSENT]),
    ],
)
def test_what_two_orders_come_to_in_a_run_of_both(conflict, invalid, expected):
    given_, swapped = zip(*BOTH, strict=True)
    found = comparison.decided(
        passes(given_, swapped, both=True), conflict=Conflict(conflict), invalid=Invalid(invalid)
    )
    assert found.tolist() == expected


def test_one_order_decides_where_only_one_was_asked():
    one = passes([1, ABSENT, INVALID], [ABSENT, 2, ABSENT])
    for conflict in Conflict:
        assert comparison.decided(one, conflict=conflict, invalid=Invalid.WRONG).tolist() == [1, 2, INVALID]


def test_probabilities_are_averaged_over_the_orders():
    found = comparison.decided(
        passes([1, 1], [2, 2], [[0, 0.9, 0.1], [0, 0.5, 0.5]], [[0, 0.4, 0.6], [0.2, 0.3, 0.5]], both=True),
        conflict=Conflict.AVERAGE,
        invalid=Invalid.WRONG,
    )
    assert found.tolist() == [1, 2]


def test_flips_need_a_valid_verdict_in_both_orders():
    given_, swapped = zip(*BOTH, strict=True)
    found = comparison.flips(passes(given_, swapped))
    assert found.tolist() == [0, 1, 1, -1, -1, -1, -1]
    assert comparison.share(found, undefined="").value == pytest.approx(2 / 3)


def test_a_judge_that_always_takes_the_first_shown_is_seen_through():
    """In the pair's terms it says 1 in the given order and 2 in the other."""
    found = judge_position(passes([1] * 5, [2] * 5, both=True), undefined="none")
    assert (found.value, found.n) == (1.0, 10)
    assert judge_position(passes([1, 2], [1, 2], both=True), undefined="none").value == 0.5
    assert judge_position(passes([0, INVALID]), undefined="none").undefined == "none"


def test_mcnemar_by_hand():
    """Ten pairs apart, all for one side: two tails of one half to the tenth."""
    assert comparison.mcnemar(10, 0) == pytest.approx(2 / 1024)
    assert comparison.mcnemar(0, 0) == 1


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_statsmodels(a, b):
    assume(a + b > 0)
    assert comparison.mcnemar(a, b) == pytest.approx(statsmodels_mcnemar([[5, a], [b, 5]], exact=True).pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p):
    assert comparison.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_two_judges_are_compared_on_the_pairs_that_both_decided():
    found = comparison.paired(
        np.array([1, 2, 0, 1, 1]), np.array([1, 2, 1, 1, ABSENT]), np.array([1, 1, 1, INVALID, 1])
    )
    assert (found.n, found.only_a_right, found.only_b_right) == (4, 2, 0)
    assert found.difference.value == 0.5


def test_calibration_by_hand():
    """Two pairs at .9, one right; one at .6, right: ECE (2 * .4 + .4) / 3, Brier by its definition."""
    p = np.array([[0, 0.9, 0.1], [0, 0.9, 0.1], [0.6, 0.2, 0.2], [1, 0, 0], [np.nan] * 3])
    gold = np.array([1, 2, 0, ABSENT, 1])
    bootstrap = PromptBootstrap(np.arange(5), 200)
    found = expected_calibration_error(gold, p, bootstrap)
    assert found.value == pytest.approx(0.4)
    assert found.interval is not None
    assert brier(gold, p).value == pytest.approx((0.02 + 1.62 + 0.24) / 3)
    assert [(round(c, 3), r, n) for _, c, r, n in reliability(gold, p)] == [(0.6, 1.0, 1), (0.9, 0.5, 2)]
    assert expected_calibration_error(gold, np.full((5, 3), np.nan)).undefined


@pytest.mark.parametrize("n_prompts", [400, 9000])
def test_a_mean_is_divided_by_what_the_same_draw_counted(n_prompts):
    rng = np.random.default_rng(2)
    prompts = np.arange(n_prompts).repeat(3)
    # Always as far off: however many pairs a draw holds, the mean is the same, if both are of one draw.
    gold = rng.integers(0, 3, len(prompts))
    p = np.full((len(prompts), 3), 0.2)
    p[np.arange(len(prompts)), gold] = 0.6
    p[rng.random(len(prompts)) < 0.5] = np.nan
    found = brier(gold, p, PromptBootstrap(prompts, 200))
    assert found.interval == pytest.approx((found.value, found.value))


def test_probabilities_of_both_orders_are_averaged_unless_the_given_order_counts():
    run = passes([1], [1], [[0, 1, 0]], [[0, 0.5, 0.5]], both=True)
    assert probabilities(run, conflict=Conflict.TIE).tolist() == [[0, 0.75, 0.25]]
    assert probabilities(run, conflict=Conflict.GIVEN).tolist() == [[0, 1, 0]]


def test_presets_are_as_documented():
    assert policy_named("paper") == PRESETS["paper"]
    assert policy_named("majority.out.tie.given").name == "released-files"
    assert policy_named("majority.out.wrong.given").invalid is Invalid.WRONG
    for wrong in ("nonsense", "majority.out.wrong", "majority.out.perhaps.given"):
        with pytest.raises(UnknownPolicyError):
            policy_named(wrong)
    with pytest.raises(UnknownPolicyError, match="gold"):
        policy_of(gold="coin", no_gold="out", invalid="out", conflict="tie")


games = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), choices), min_size=8, max_size=60)


@given(games)
def test_ratings_are_evalicas_bradley_terry(played):
    first, second, said = np.array([game for game in played if game[0] != game[1]] or [(0, 0, 0)]).T
    assume(len(set(first) | set(second)) > 1)
    wins, ties = comparison.win_tie_loss(first=first, second=second, choices=said, n_generators=4)
    table = wins + ties / 2
    met = np.flatnonzero((table + table.T).sum(axis=1))
    found = ratings(first=first, second=second, choices=said, n_generators=4)
    if not strongly_connected(table[np.ix_(met, met)]):
        assert found.by_generator == {}
        assert "won or lost everything" in found.undefined
        return
    winners = [(evalica.Winner.Draw, evalica.Winner.X, evalica.Winner.Y)[c] for c in said]
    theirs = np.log(evalica.bradley_terry(first, second, winners, tolerance=1e-12, limit=100_000).scores)
    for generator, score in theirs.items():
        assert found.by_generator[generator].rating == pytest.approx(CENTRE + SCALE * (score - theirs.mean()), abs=0.1)


def test_two_even_generators_are_said_to_be_alike():
    first, second = np.zeros(40, int), np.ones(40, int)
    bootstrap = PromptBootstrap(np.arange(40), 500)
    even = ratings(first=first, second=second, choices=np.tile([1, 2], 20), n_generators=2, bootstrap=bootstrap)
    assert even.alike == [(0, 1)]
    apart = ratings(
        first=first, second=second, choices=np.array([2] * 38 + [1] * 2), n_generators=2, bootstrap=bootstrap
    )
    assert apart.alike == []
    assert apart.by_generator[1].low > apart.by_generator[0].high


@pytest.fixture(scope="module")
def released():
    """Gold, and each judge's verdicts with `garbage` as invalid."""
    test_set = rows(TEST_SET)
    labels = np.array([[row[f"annotator{k}"] for k in (1, 2, 3)] for row in test_set])
    votes = np.stack([(labels == choice).sum(axis=1) for choice in range(3)], axis=1)
    gpt = np.array([{"1": 1, "2": 2, "Tie": 0}.get(row["gpt_result"], INVALID) for row in rows(GPT)])
    lengths = np.array(
        [
            longer(
                *(text if isinstance(text, str) else str(text).lower() for text in (row["response1"], row["response2"]))
            )
            for row in test_set
        ]
    )
    return {
        "gold": golds.majority(votes),
        "gpt": gpt,
        "pandalm": np.array([row["pandalm_result"] for row in rows(PANDALM)]),
        "always 2": np.full(len(test_set), 2),
        "longer": lengths,
    }


@needs_pandalm
@pytest.mark.parametrize(
    ("judge", "invalid", "n", "figures", "kappa"),
    [
        ("gpt", "tie", 999, (0.7107, 0.5879, 0.5736, 0.5755), 0.496),
        ("gpt", "out", 974, (0.7156, 0.5365, 0.5417, 0.5331), 0.493),
        ("gpt", "wrong", 999, (0.6977, 0.5365, 0.5324, 0.5274), 0.476),
        ("pandalm", "tie", 999, (0.6677, 0.5738, 0.5750, 0.5743), 0.435),
        ("always 2", "tie", 999, (0.4725, 0.1575, 0.3333, 0.2139), 0.000),
        ("longer", "tie", 999, (0.6106, 0.6105, 0.4815, 0.4852), 0.303),
    ],
)
def test_released_figures(released, judge, invalid, n, figures, kappa):
    said = comparison.decided(passes(released[judge]), conflict=Conflict.GIVEN, invalid=Invalid(invalid))
    found = comparison.scored(released["gold"], said)
    assert found["accuracy"].n == n
    names = ("accuracy", "precision_macro", "recall_macro", "f1_macro")
    assert tuple(round(found[name].value, 4) for name in names) == figures
    assert round(found["kappa"].value, 3) == kappa


@needs_pandalm
@pytest.mark.parametrize(
    ("judge", "figures"), [("gpt", (0.6922, 0.7107, 0.6994)), ("pandalm", (0.6690, 0.6677, 0.6682))]
)
def test_weighted_averages_of_the_released_files(released, judge, figures):
    said = comparison.decided(passes(released[judge]), conflict=Conflict.GIVEN, invalid=Invalid.TIE)
    found = comparison.scored(released["gold"], said)
    names = ("precision_weighted", "recall_weighted", "f1_weighted")
    assert tuple(round(found[name].value, 4) for name in names) == figures


@needs_pandalm
def test_released_confusions_and_their_comparison(released):
    gold, pandalm = released["gold"], released["pandalm"]
    gpt = comparison.decided(passes(released["gpt"]), conflict=Conflict.GIVEN, invalid=Invalid.TIE)
    assert comparison.confusion(gold, gpt)[:, :3].tolist() == [[18, 42, 45], [19, 332, 71], [26, 86, 360]]
    assert comparison.confusion(gold, pandalm)[:, :3].tolist() == [[32, 35, 38], [40, 298, 84], [35, 100, 337]]
    found = comparison.paired(gold, gpt, pandalm)
    assert (found.only_a_right, found.only_b_right, round(found.p, 4)) == (154, 111, 0.0097)


@needs_pandalm
def test_released_wins_of_generators(released):
    names = sorted({name for row in rows(TEST_SET) for name in row["cmp_key"].split("_")})
    first, second = (
        np.array([names.index(row["cmp_key"].split("_")[side]) for row in rows(TEST_SET)]) for side in (0, 1)
    )
    wins, ties = comparison.win_tie_loss(first=first, second=second, choices=released["gold"], n_generators=len(names))
    bloom, cerebras, llama, opt, pythia = range(5)
    expected = {
        (bloom, llama): (28, 72, 11),
        (bloom, opt): (43, 35, 11),
        (cerebras, llama): (24, 80, 6),
        (cerebras, opt): (33, 49, 9),
        (cerebras, pythia): (27, 53, 11),
        (opt, pythia): (32, 53, 15),
        (bloom, pythia): (47, 49, 11),
        (llama, opt): (71, 24, 11),
        (llama, pythia): (58, 27, 9),
        (bloom, cerebras): (59, 30, 11),
    }
    assert {key: (wins[key], wins[key[::-1]], ties[key]) for key in expected} == expected
