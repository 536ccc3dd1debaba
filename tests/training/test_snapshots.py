"""Snapshots: what a recipe takes and leaves out, that files never change, and that test sets do not leak in."""

import io
import json
from collections import Counter
from collections.abc import Iterable

import pytest
from django.core.exceptions import ValidationError
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from annotation.models import Choice, Dataset, Generator, Pair, Role
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import run_here
from judging import filtering
from judging.artifacts import hash_of
from judging.audits.weights import label_weights
from judging.models import Audit, AuditItem, FilterMark, JudgeRun, Verdict
from tests import factories
from tests.judging.audits.made import draw_sample
from tests.training.conftest import made_pairs, make
from training.artifacts import snapshot_folder
from training.leakage import leaks
from training.models import Snapshot
from training.recipes import CandidateRecipe, JudgeRecipe
from training.snapshots import HELD_OUT, TRAIN, differences, make_snapshot

pytestmark = pytest.mark.django_db


def rows_of(snapshot: Snapshot, name: str = TRAIN) -> list[dict]:
    with (snapshot_folder(snapshot.pk) / name).open() as lines:
        return [json.loads(line) for line in lines]


def test_a_snapshot_holds_every_label_in_the_order_shown_and_its_copy(labels):
    snapshot = make(JudgeRecipe(run=labels.pk, held_out=0.2))
    rows = rows_of(snapshot) + rows_of(snapshot, HELD_OUT)
    assert Counter(row["swapped"] for row in rows) == {False: 60, True: 60}
    assert (snapshot.count, snapshot.held_out_count) == (len(rows_of(snapshot)), len(rows_of(snapshot, HELD_OUT)))
    assert snapshot.sha256 == hash_of(snapshot_folder(snapshot.pk) / TRAIN)
    verdicts = {verdict.pair_id: verdict for verdict in Verdict.objects.filter(run=labels).select_related("pair")}
    for row in rows:
        verdict = verdicts[row["pair"]]
        texts = (verdict.pair.response_1.text, verdict.pair.response_2.text)
        assert (row["response_1"], row["response_2"]) == (texts[::-1] if row["swapped"] else texts)
        own = Choice(verdict.choice)
        assert row["choice"] == (own.swapped if row["swapped"] else own)
    # No prompt is on both sides.
    sides = [{row["instruction"] for row in rows_of(snapshot, name)} for name in (TRAIN, HELD_OUT)]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_the_same_recipe_gives_the_same_file_and_another_seed_another_one(labels):
    recipe = JudgeRecipe(run=labels.pk, size=30, references=0.5)
    first, second = make(recipe, name="first"), make(recipe, name="second")
    assert first.sha256 == second.sha256
    assert sum(row["reference"] == "" for row in rows_of(first)) in range(10, 50)
    third = make(recipe.model_copy(update={"seed": 1}), name="third")
    assert third.sha256 != first.sha256
    found = differences(first, third)
    assert found["recipes"] == {"seed": (0, 1)}
    assert found["only_first"] > 0
    assert found["in_both"] + found["only_first"] == len({json.dumps(row) for row in rows_of(first)})
    assert differences(first, second)["only_first"] == 0


def test_filters_and_audits_decide_what_is_learnt(labels):
    marked = labels.verdicts.order_by("pk").first().pair
    run_here(job=filtering.ask(run=labels, by=factories.make_user()), out=io.StringIO())
    FilterMark.objects.all().delete()
    FilterMark.objects.create(run=labels, pair=marked, filter="identical")
    audit = draw_sample(run=labels, dimensions=["verdict"], size=4, seed=0, created_by=factories.make_user())
    items = list(AuditItem.objects.filter(audit=audit).exclude(pair=marked)[:3])
    decided = [
        {
            "outcome": "wrong",
            "right_choice": (items[0].distilled + 1) % 3,
            "note": "The first is a fruit.",
            "cause": "other",
        },
        {"outcome": "wrong", "right_choice": (items[1].distilled + 1) % 3, "note": "", "cause": "other"},
        {"outcome": "right"},
    ]
    auditor = factories.make_user()
    for item, told in zip(items, decided, strict=True):
        AuditItem.objects.filter(pk=item.pk).update(
            state="decided", auditor=auditor, blind_choice=0, decided_at=audit.created_at, **told
        )
    snapshot = make(JudgeRecipe(run=labels.pk, filters=["identical"], held_out=0, swap=False))
    rows = {row["pair"]: row for row in rows_of(snapshot)}
    assert marked.pk not in rows
    assert (rows[items[0].pair_id]["choice"], rows[items[0].pair_id]["reason"]) == (
        decided[0]["right_choice"],
        "The first is a fruit.",
    )
    assert items[1].pair_id not in rows
    assert rows[items[2].pair_id]["choice"] == items[2].distilled
    taken = snapshot.card["taken"]
    assert (taken["left out by filters"], taken["left out by audits"], taken["corrected by audits"]) == (1, 1, 1)


def test_labels_that_were_never_filtered_are_filtered_first_and_again_when_more_have_come(labels):
    def twin(choice: int) -> Pair:
        pair = factories.make_pair(dataset=labels.dataset, texts=("The same.", "The same."), generators=("one", "two"))
        Verdict.objects.create(run=labels, pair=pair, choice=choice, reason="", raw="x")
        return pair

    twin(1)
    alike = labels.dataset.pairs.filter(response_1__text=F("response_2__text")).count()
    recipe = JudgeRecipe(run=labels.pk, filters=["identical"], held_out=0)
    assert make(recipe, name="first").card["taken"]["left out by filters"] == alike
    job = filtering.ask(run=labels, by=factories.make_user())
    assert filtering.is_due(labels)
    Job.objects.filter(pk=job.pk).update(state=Job.State.FAILED, started_at=timezone.now(), finished_at=timezone.now())
    assert filtering.is_due(labels), "what failed has marked nothing"
    run_here(job=filtering.ask(run=labels, by=factories.make_user()), out=io.StringIO())
    assert not filtering.is_due(labels)
    twin(2)
    assert make(recipe, name="second").card["taken"]["left out by filters"] == alike + 1


def test_the_form_comes_filled_in_with_the_recipe_of_another_snapshot(labels, client):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    recipe = JudgeRecipe(run=labels.pk, filters=["identical"], held_out=0.25, swap=False, seed=7)
    made = make(recipe, override="They are few.")
    assert f"?like={made.pk}" in client.get(made.get_absolute_url()).content.decode()
    form = client.get(reverse("snapshot_new"), {"like": made.pk}).context["form"]
    said = {name: form[name].value() for name in ("run", "filters", "held_out", "swap", "seed", "override")}
    kept = recipe.model_dump()
    assert said == {name: kept[name] for name in said if name != "override"} | {"override": "They are few."}
    assert client.get(reverse("snapshot_new"), {"like": "99999"}).status_code == 200


def test_a_candidate_without_answers_is_told_what_is_missing():
    dataset = factories.make_dataset(slug="bare", purpose=Dataset.Purpose.TRAIN)
    made_pairs(dataset, 2, seed=5)
    Generator.objects.create(name="silent")
    with pytest.raises(PermanentError, match="silent has answered none of its prompts"):
        make(CandidateRecipe(dataset="bare", generator="silent", held_out=0))


def test_the_latest_audit_of_a_label_speaks_also_where_it_finds_it_right(labels):
    """The second audit takes one correction back, and finds another label wrong that the first found right."""
    first, second = (
        draw_sample(run=labels, dimensions=[], size=36, seed=seed, created_by=factories.make_user()) for seed in (0, 1)
    )
    both = first.items.filter(pair__in=second.items.values("pair")).exclude(distilled=0)
    back, found = both.values_list("pair", flat=True)[:2]
    wrong = {"outcome": "wrong", "right_choice": 0, "note": "Both say the same.", "cause": "other"}
    decide(second.items.filter(pair=found), **wrong)
    decide(first.items.filter(pair=back), **wrong)
    decide(second.items.filter(pair=back))
    decide(first.items.filter(pair=found))
    AuditItem.objects.filter(audit=first).update(decided_at=first.created_at)
    rows = {row["pair"]: row for row in rows_of(make(JudgeRecipe(run=labels.pk, held_out=0, swap=False)))}
    assert rows[back]["choice"] == first.items.get(pair=back).distilled
    assert rows[back]["reason"] != "Both say the same."
    assert (rows[found]["choice"], rows[found]["reason"]) == (0, "Both say the same.")


def decide(items: Iterable[AuditItem], **told: object) -> None:
    AuditItem.objects.filter(pk__in=[item.pk for item in items]).update(
        state="decided",
        auditor=factories.make_user(),
        blind_choice=0,
        decided_at=timezone.now(),
        **{"outcome": "right", **told},
    )


def test_labels_weigh_by_how_often_those_of_their_stratum_are_right(labels):
    audit = draw_sample(run=labels, dimensions=["verdict"], size=24, seed=0, created_by=factories.make_user())
    drawn = {choice: [item for item in audit.items.all() if item.distilled == choice] for choice in (0, 1, 2)}
    decide(drawn[1] + drawn[0])
    decide(drawn[2][:-1], outcome="undecidable", cause="ambiguous")
    decide(drawn[2][-1:], outcome="wrong", right_choice=1, note="The first is a fruit.", cause="other")
    snapshot = make(JudgeRecipe(run=labels.pk, weights=audit.pk, held_out=0))
    told = {each["name"]: each["weight"] for each in snapshot.card["weights"]["strata"]}
    assert told["label 2"] < 1 < told["label 1"]
    choices = dict(labels.verdicts.values_list("pair", "choice"))
    audited = set(audit.items.filter(outcome__in=["right", "wrong"]).values_list("pair", flat=True))
    rows = rows_of(snapshot)
    assert {row["swapped"] for row in rows} == {False, True}
    for row in rows:
        stratum = f"label {Choice(choices[row['pair']]).label.lower()}"
        expected = snapshot.card["weights"]["audited"] if row["pair"] in audited else told[stratum]
        assert row["weight"] == pytest.approx(expected, abs=1e-6)
    # Over all labels, the left out ones too, the mean is 1 where none counts as audited.
    of_all = label_weights(audit)
    assert sum(of_all.of(pair, corrected=False) for pair in choices) / len(choices) == pytest.approx(1)
    # A label that came later is of a stratum that nobody has audited.
    assert of_all.of(0, corrected=True) == of_all.other == pytest.approx(of_all.overall * of_all.audited_weight)

    without = make(JudgeRecipe(run=labels.pk, held_out=0), name="without")
    assert not any("weight" in row for row in rows_of(without))
    assert "weights" not in without.card


def test_weights_come_from_a_random_sample_of_the_same_labels(labels):
    audit = draw_sample(run=labels, dimensions=[], size=6, seed=0, created_by=factories.make_user())

    def refused(number: int) -> str:
        with pytest.raises(ValidationError) as error:
            make_snapshot(name="x", recipe=JudgeRecipe(run=labels.pk, weights=number), send=False)
        return " ".join(error.value.message_dict["weights"])

    assert "There is no audit 0" in refused(0)
    assert "Nothing is decided" in refused(audit.pk)
    decide(audit.items.all(), outcome="undecidable", cause="ambiguous")
    assert "found no label right" in refused(audit.pk)
    Audit.objects.update(mode=Audit.Mode.SUSPICIOUS)
    assert "is no random sample" in refused(audit.pk)
    other = JudgeRun.objects.create(judge=labels.judge, dataset=labels.dataset)
    Audit.objects.update(run=other)
    assert "is of another run" in refused(audit.pk)
    assert not Snapshot.objects.exists()


def test_prompts_of_test_sets_are_refused_left_out_or_allowed_in_writing(labels):
    leaking = labels.dataset.pairs.first().prompt
    test_set = factories.make_dataset(slug="tested")
    near = factories.make_prompt(instruction=leaking.instruction.upper() + "!", given=leaking.input)
    factories.make_pair(dataset=test_set, prompt=near)
    refused = make_snapshot(name="refused", recipe=JudgeRecipe(run=labels.pk), send=False)
    with pytest.raises(PermanentError, match="1 prompts of the test set tested"):
        run_here(job=refused.job, out=io.StringIO())
    refused.refresh_from_db()
    assert not refused.is_whole
    assert not snapshot_folder(refused.pk).exists()
    without = make(JudgeRecipe(run=labels.pk, leaks="leave_out", held_out=0), name="without")
    assert leaking.instruction not in {row["instruction"] for row in rows_of(without)}
    assert without.card["leaks"] == {"tested": 1}
    allowed = make(JudgeRecipe(run=labels.pk, held_out=0), name="allowed", override="They are only a demo.")
    assert leaking.instruction in {row["instruction"] for row in rows_of(allowed)}


def test_likeness_is_by_words_in_a_row():
    tested = {1: "Write a poem about the sea and the wind in it", 2: "Name three fruits"}
    learnt = [
        (10, "write a poem about the sea, and the wind in it!"),
        (11, "Name three vegetables"),
        (12, "name three fruits"),
        (13, ""),
    ]
    assert [(leak.learnt, leak.tested, leak.alike) for leak in leaks(learnt, tested)] == [(10, 1, 1.0), (12, 2, 1.0)]


def test_a_candidate_learns_one_answer_a_prompt():
    dataset = factories.make_dataset(slug="alpaca", purpose=Dataset.Purpose.TRAIN)
    for pair, one in made_pairs(dataset, 10, seed=5):
        pair.prompt.reference = one.reference
        pair.prompt.save()
    by_reference = make(CandidateRecipe(dataset="alpaca", held_out=0), name="references")
    assert by_reference.count == 10
    assert {row["output"] for row in rows_of(by_reference)} <= set(
        dataset.pairs.values_list("prompt__reference", flat=True)
    )
    of_one = make(CandidateRecipe(dataset="alpaca", generator="one", held_out=0), name="of one")
    written = {pair.response_1.text for pair in dataset.pairs.all()} - {""}
    assert {row["output"] for row in rows_of(of_one)} == written


def test_recipes_that_name_what_is_not_there_are_refused(labels):
    for recipe, field, words in (
        (JudgeRecipe(run=0), "run", "There is no run 0"),
        (JudgeRecipe(run=labels.pk, filters=["nonsense"]), "filters", "There is no filter nonsense"),
        (CandidateRecipe(dataset="nowhere"), "dataset", "There is no dataset nowhere"),
    ):
        with pytest.raises(ValidationError) as error:
            make_snapshot(name="x", recipe=recipe)
        assert words in " ".join(error.value.message_dict[field])
    empty = JudgeRun.objects.create(judge=labels.judge, dataset=labels.dataset)
    with pytest.raises(ValidationError, match="no verdicts to learn from"):
        make_snapshot(name="x", recipe=JudgeRecipe(run=empty.pk))
    Dataset.objects.update(purpose=Dataset.Purpose.TEST)
    with pytest.raises(ValidationError, match="is a test set"):
        make_snapshot(name="x", recipe=JudgeRecipe(run=labels.pk))
    assert not Snapshot.objects.exists()
