"""What each format holds, what it leaves out, and what its manifest says."""

import csv
import hashlib
import io
import json

import pyarrow.parquet as pq
import pytest

from annotation.exporting import parquet
from annotation.exporting.formats import FORMATS
from annotation.exporting.options import ExportError, Ties
from annotation.gold_rule import gold_rule
from annotation.models import Adjudication, Dataset, Label, Pair
from tests.annotation.exporting import export_of, exported, label_with_everything, late_decision, make_judged
from tests.annotation.importing import pair_row, problems_of, run_import
from tests.factories import make_dataset, make_guideline, make_user

pytestmark = pytest.mark.django_db


def test_the_csv_of_labels_has_a_row_for_each_label_and_late_decision():
    make_user(username="anna"), make_user(username="ben")
    run_import(
        [
            pair_row(1, labels=[label_with_everything()], late_decisions=[late_decision()], model1="m"),
            pair_row(2, labels={"ben": 2}),
        ]
    )
    out, manifest = export_of("d", "csv-labels", policy="default", spreadsheet=True)
    anna, late, ben = csv.DictReader(io.StringIO(out.decode("utf-8-sig"), newline=""))
    assert manifest["rows"] == 3
    assert (anna["id"], anna["annotator"], anna["choice"], anna["aspect:adherence"]) == ("1", "anna", "1", "tie")
    assert (anna["reconsidered"], anna["rationale"], anna["model1"], anna["swapped"]) == ("2", "'=why", "m", "false")
    assert (late["annotator"], late["choice"], late["late"], anna["late"]) == ("ben", "tie", "true", "")
    assert (ben["id"], ben["choice"], ben["aspect:adherence"]) == ("2", "2", "")
    # The dataset wants three labels a pair, so one is not enough for gold.
    assert {anna["gold"], ben["gold"]} == {""}


def test_preferences_follow_gold_and_say_what_they_left_out():
    make_judged()
    out, manifest = export_of("d", "preferences")
    one, two = map(json.loads, out.splitlines())
    assert one == {
        "id": "1", "prompt": "Instruction 1", "chosen": "First 1", "rejected": "Second 1", "chosen_model": "one",
        "rejected_model": "two",
    }  # fmt: skip
    assert (two["chosen"], two["rejected"], two["chosen_model"]) == ("Second 2", "First 2", "two")
    assert manifest["left_out"] == {"ties": 1, "without gold": 1}
    assert manifest["policy"]["name"] == "default"
    kept = [json.loads(line) for line in exported("d", "preferences", ties=Ties.KEEP).splitlines()]
    assert [row["tie"] for row in kept] == [False, False, True]


def test_preferences_come_in_again_as_pairs():
    make_judged()
    again = run_import(exported("d", "preferences"), dataset="e")
    assert again.summary["pairs"]["new"] == 2
    assert again.summary["format"] == "preferences"


def test_the_test_set_comes_in_again_as_the_same_rows():
    for name in ("annotator1", "annotator2"):
        make_user(username=name)
    run_import(
        [
            pair_row(7, labels={"annotator1": 1, "annotator2": "tie"}, source="Mail", model1="m", model2="n", level=2),
            pair_row("x-1", labels={"annotator2": 2}, model1="m_1", model2="n"),
        ]
    )
    out, manifest = export_of("d", "pandalm")
    assert manifest["annotators"] == {"annotator1": "annotator1", "annotator2": "annotator2"}
    again = run_import(out, dataset="e", name="x.json")
    assert (again.summary["format"], problems_of(again)) == ("pandalm-testset", [])
    assert exported("e", "pandalm") == out
    assert exported("e", "csv") == exported("d", "csv")


def test_training_rows_are_pandalms_and_come_in_again():
    make_judged()
    out, manifest = export_of("d", "pandalm-train")
    rows = json.loads(out)
    assert manifest["left_out"] == {"verdict invalid": 1}
    assert rows[0] == {
        "idx": 1,
        "inputs": {"instruction": "Instruction 1", "input": "", "response1": "First 1", "response2": "Second 1"},
        "outputs": {"evaluation_result": "1", "evaluation_reason": "r", "reference_response": "ref"},
    }
    assert rows[2]["outputs"]["evaluation_result"] == "Tie"
    again = run_import(out, dataset="e", judge="j", name="x.json")
    assert problems_of(again) == []
    assert exported("e", "pandalm-train") == out


def test_training_rows_without_an_id_get_none():
    row = {
        "inputs": {"instruction": "i", "input": "", "response1": "a", "response2": "b", "level": 1},
        "outputs": {"evaluation_result": "Tie", "evaluation_reason": "r", "reference_response": "", "by": "x"},
        "set": "s",
    }
    run_import([row])
    assert json.loads(exported("d", "pandalm-train")) == [row]


def test_training_rows_want_a_judge():
    make_dataset(slug="none")
    with pytest.raises(ExportError, match="no verdicts"):
        exported("none", "pandalm-train")
    run_import([pair_row(verdicts=[{"judge": "j", "choice": 1}, {"judge": "k", "choice": 2}])])
    with pytest.raises(ExportError, match="Choose a judge: j, k"):
        exported("d", "pandalm-train")
    with pytest.raises(ExportError, match="x has no verdicts"):
        exported("d", "pandalm-train", judge="x")
    assert json.loads(exported("d", "pandalm-train", judge="k"))[0]["outputs"]["evaluation_result"] == "2"


def test_policies_with_the_same_gold_say_how_they_differ():
    words = dict(gold_rule().policies())
    assert len(set(words.values())) == len(words)
    assert words["paper"] == "the strict majority of the human labels"
    assert words["released-files"] == (
        "the same gold as paper; they differ in scores of judges alone "
        "(verdicts that differ between the orders, the given order alone instead of a tie)"
    )


def test_an_unknown_policy_is_refused():
    make_dataset(slug="d")
    with pytest.raises(ExportError, match="No policy is called 'x'"):
        exported("d", "csv", policy="x")


def test_parquet_holds_pairs_with_their_labels_and_verdicts():
    make_judged()
    Adjudication.objects.create(pair=Pair.objects.get(external_id="4"), choice=2, cause="taste", by=make_user())
    run_import([pair_row(5, labels=[label_with_everything() | {"annotator": "a"}], late_decisions=[
        late_decision() | {"annotator": "b"}], extra={"x": [1]})])  # fmt: skip
    out = exported("d", "parquet", policy="default")
    table = pq.read_table(io.BytesIO(out)).to_pylist()
    assert [row["gold"] for row in table] == ["1", "2", "tie", "2", None]
    assert table[0]["verdicts"][0] | {"at": None} == dict.fromkeys(
        ["p_1", "p_2", "p_tie", "raw", "prompt_tokens", "answer_tokens", "seconds", "cost", "at", "altered"]
    ) | {"judge": "j", "swapped": False, "choice": "1", "status": "ok", "reason": "r", "reference": "ref"}
    (label,) = table[4]["labels"]
    assert (label["aspects"], label["at"].isoformat()) == (
        [("clarity", "1"), ("adherence", "tie")], "2026-11-01T09:00:00.000001+00:00"
    )  # fmt: skip
    assert label["reconsidered"]["choice"] == "2"
    assert table[4]["late_decisions"][0]["annotator"] == "b"
    assert json.loads(table[4]["metadata"]) == {"extra": {"x": [1]}}
    assert table[0]["metadata"] is None


def test_parquet_says_how_the_texts_that_a_judge_saw_differ():
    altered = {"escaped": ["<|im_end|>"]}
    run_import([pair_row(verdicts=[{"judge": "j", "choice": 1, "altered": altered}])])
    (row,) = pq.read_table(io.BytesIO(exported("d", "parquet"))).to_pylist()
    assert json.loads(row["verdicts"][0]["altered"]) == altered


def test_parquet_of_an_empty_dataset_has_the_same_columns():
    make_dataset(slug="empty")
    make_judged()
    empty, full = (pq.read_schema(io.BytesIO(exported(slug, "parquet"))) for slug in ("empty", "d"))
    assert empty.equals(full)


def test_parquet_is_written_in_groups(monkeypatch):
    monkeypatch.setattr(parquet, "GROUP", 2)
    make_dataset(slug="d", pairs=5)
    file = pq.ParquetFile(io.BytesIO(exported("d", "parquet")))
    assert (file.num_row_groups, file.metadata.num_rows) == (3, 5)


@pytest.mark.parametrize("format_name", sorted(FORMATS))
def test_the_manifest_says_what_the_file_is(format_name):
    make_judged()
    dataset = Dataset.objects.get(slug="d")
    guideline = make_guideline(dataset=dataset)
    Label.objects.filter(pair__external_id="1").update(guideline=guideline)
    out, manifest = export_of("d", format_name, policy="paper")
    assert manifest["file"]["sha256"] == hashlib.sha256(out).hexdigest()
    assert manifest["file"]["bytes"] == len(out)
    assert manifest["dataset"] == {"name": "d", "purpose": "test", "labels_per_pair": 3}
    assert manifest["guidelines"] == {"newest": 1, "labels_by_revision": {"none": 6, "1": 2}}
    assert manifest["read"]["labels"] == 8
    assert manifest["policy"]["name"] == "paper"
    assert manifest["policy"]["rules"]["Gold"] == "the strict majority of the human labels"
    assert manifest["rows"] + sum(manifest["left_out"].values()) == (8 if format_name == "csv-labels" else 4)
