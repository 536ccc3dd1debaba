"""manage.py scores: from rows in the database to the documented structure."""

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Adjudication, Dataset, Pair
from judging.models import Judge, JudgeRun
from judging.scores.evidence import runs_that_count
from tests import factories
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict

pytestmark = pytest.mark.django_db


def scores(name: str, **options: object) -> dict:
    out = StringIO()
    call_command("scores", name, format="json", stdout=out, **options)
    return json.loads(out.getvalue(), parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))


def judge_of(found: dict, start: str) -> dict:
    return next(judge for judge in found["judges"] if judge["judge"].startswith(start))


def test_the_structure_has_every_documented_key():
    make_scored_dataset()
    found = scores("scored", policy="paper")
    assert {"dataset", "policy", "n_pairs", "n_gold", "gold", "humans", "judges", "comparisons", "generators"} <= set(
        found
    )
    humans = {"annotators", "raw_agreement", "cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "splits"}
    assert humans <= set(found["humans"])
    judge = {"judge", "kind", "n", "invalid", "accuracy", "precision_macro", "recall_macro", "f1_macro", "kappa"}
    judge |= {"first_share", "flip_rate", "ece", "brier", "coverage", "confusion", "alt_test", "intervals"}
    assert all(judge <= set(one) for one in found["judges"])
    compared = {"a", "b", "only_a_right", "only_b_right", "mcnemar_p", "difference", "interval"}
    assert all(compared == compared & set(one) for one in found["comparisons"])
    assert set(found["generators"]["humans"]) >= {"win_tie_loss", "elo"}


def test_gold_people_and_splits():
    make_scored_dataset()
    found = scores("scored", policy="paper")
    assert (found["n_pairs"], found["n_gold"], found["n_prompts"]) == (8, 7, 4)
    assert found["gold"] == {"1": 3, "2": 3, "tie": 1}
    assert found["humans"]["splits"] == {"unanimous": 5, "majority": 2, "none": 1, "too_few": 0}
    ann = found["humans"]["annotators"]["ann-scored"]
    # Ann chose 1, 1, 2, 2, tie, tie, 1, 2, with response 2 on the left in every other pair.
    assert (ann["n"], ann["first_share"]) == (8, 4 / 6)
    # Of the others' majority: they agree in all but the second, fourth and sixth pair, and Ann with them each time.
    assert ann["against_majority_of_others"]["n"] == 5
    assert ann["against_majority_of_others"]["accuracy"] == 1


@pytest.mark.parametrize(
    ("policy", "n", "right"),
    [
        # Decided: 1, tie, 2, 1, tie, -, and an invalid with a 1, and a tie. Gold: 1, 1, 2, 2, tie, -, 1, 2.
        ("default", 7, 3),
        ("paper", 7, 3),
        ("released-files", 7, 5),
        ("majority.out.out.tie", 6, 3),
        ("majority.tie.wrong.given", 8, 5),
        ("unanimous.out.wrong.given", 5, 4),
    ],
)
def test_a_judge_in_both_orders_under_each_policy(policy, n, right):
    make_scored_dataset()
    found = judge_of(scores("scored", policy=policy), "both-ways")
    assert (found["n"], found["accuracy"]) == (n, pytest.approx(right / n))
    assert found["invalid"] == 1
    # Seven pairs have a verdict in both orders; the second and the last flipped.
    assert found["flip_rate"] == pytest.approx(2 / 7)
    assert found["cost_per_1000"] == pytest.approx(2.0)
    assert found["pairs_per_second"] == pytest.approx(1.0)
    low, high = found["intervals"]["accuracy"]
    assert low <= found["accuracy"] <= high


def test_an_adjudication_is_gold_by_default_and_not_under_the_papers_rule():
    dataset, _ = make_scored_dataset()
    reviewer = factories.make_user(role="reviewer")
    split = Pair.objects.filter(dataset=dataset).order_by("pk")[5]
    Adjudication.objects.create(pair=split, choice=2, cause="ambiguous", by=reviewer)
    assert scores("scored", policy="default")["gold"] == {"1": 3, "2": 4, "tie": 1}
    assert scores("scored", policy="paper")["n_gold"] == 7


def test_baselines_stand_among_the_judges():
    make_scored_dataset()
    found = scores("scored", policy="paper")
    kinds = {judge["judge"]: judge["kind"] for judge in found["judges"]}
    assert kinds["longer response"] == kinds["shorter response"] == kinds["always 1"] == "baseline"
    assert judge_of(found, "longer")["accuracy"] == pytest.approx(3 / 7)
    assert judge_of(found, "longer")["undefined"]["flip_rate"]
    assert not [judge for judge in kinds if judge.startswith("token F1")]


def test_token_f1_stands_among_them_where_a_prompt_has_a_reference():
    dataset, _ = make_scored_dataset()
    prompt = factories.make_prompt(reference="the right answer")
    pair = factories.make_pair(dataset=dataset, prompt=prompt, texts=("wrong", "right answer"))
    for name in ("x", "y", "z"):
        factories.make_label(pair=pair, annotator=factories.make_user(username=name), choice=2)
    found = judge_of(scores("scored"), "token F1")
    assert (found["n"], found["accuracy"], found["coverage"]) == (1, 1.0, 1 / 8)


def test_comparisons_leave_out_baselines_among_themselves():
    make_scored_dataset()
    found = scores("scored")
    assert len(found["comparisons"]) == 3
    assert all("both-ways-scored" in (one["a"], one["b"]) for one in found["comparisons"])


def test_the_same_seed_prints_the_same_and_another_seed_other_intervals():
    make_scored_dataset()
    assert scores("scored", seed=1) == scores("scored", seed=1)
    first, second = (judge_of(scores("scored", seed=seed, resamples=101), "both-ways")["intervals"] for seed in (1, 2))
    assert first != second


def test_a_dataset_without_labels_explains_itself():
    factories.make_dataset(slug="new", pairs=3)
    found = scores("new")
    assert found["n_gold"] == 0
    assert found["humans"]["fleiss_kappa"] is None
    assert "two labels" in found["humans"]["undefined"]["fleiss_kappa"]
    factories.make_dataset(slug="empty")
    assert scores("empty")["n_pairs"] == 0


def test_a_pair_needs_two_labels_where_the_dataset_wants_more():
    dataset = factories.make_dataset(slug="one-label")
    factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=factories.make_user())
    assert scores("one-label")["n_gold"] == 0
    Dataset.objects.update(labels_per_pair=1)
    assert scores("one-label")["n_gold"] == 1


def test_dawid_skene_as_gold():
    make_scored_dataset()
    found = scores("scored", policy="dawid-skene.out.wrong.given")
    assert found["n_gold"] >= 7


def test_the_newest_run_of_a_judge_stands_for_it():
    dataset, run = make_scored_dataset()
    newer = JudgeRun.objects.create(judge=run.judge, dataset=dataset)
    for pair in Pair.objects.filter(dataset=dataset):
        make_verdict(newer, pair, 1)
    assert runs_that_count(dataset) == [newer]
    assert judge_of(scores("scored", policy="paper"), "both-ways")["accuracy"] == pytest.approx(3 / 7)


def test_a_baseline_that_was_run_is_not_listed_twice():
    dataset, _ = make_scored_dataset()
    run = JudgeRun.objects.create(
        judge=make_judge("longer response", backend=Judge.Backend.BASELINE, model="longer"), dataset=dataset
    )
    for pair in Pair.objects.filter(dataset=dataset):
        make_verdict(run, pair, 1)
    named = [judge for judge in scores("scored")["judges"] if "longer" in judge["judge"]]
    assert [judge["run"] for judge in named] == [run.pk]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"policy": "lenient"}, "No policy is called 'lenient'. Choose one of default, paper, released-files"),
        ({"resamples": 5}, "--resamples"),
        ({"epsilon": 1.5}, "--epsilon"),
    ],
)
def test_what_cannot_be_done_is_said(options, says):
    factories.make_dataset(slug="here")
    with pytest.raises(CommandError, match=says):
        call_command("scores", "here", **options)


def test_an_unknown_dataset_names_those_that_exist():
    factories.make_dataset(slug="here")
    with pytest.raises(CommandError, match=r"There is no dataset called 'there'\. There are: here"):
        call_command("scores", "there")


def test_the_table_is_for_reading():
    make_scored_dataset()
    out = StringIO()
    call_command("scores", "scored", policy="paper", stdout=out)
    text = out.getvalue()
    for words in (
        "scored, policy paper",
        "8 pairs, 7 with gold",
        "Fleiss' kappa",
        "longer response",
        "McNemar p",
        "red",
    ):
        assert words in text
    assert not re.search(r"\bnan\b", text)


def test_a_judge_that_has_said_nothing_yet_is_compared_with_nobody():
    make_scored_dataset()
    before = scores("scored")["comparisons"]
    JudgeRun.objects.create(judge=make_judge("silent"), dataset=Dataset.objects.get(slug="scored"))
    assert scores("scored")["comparisons"] == before
