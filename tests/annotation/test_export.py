"""What goes out comes in again as the same rows."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.exporting import reading
from annotation.exporting.formats import FORMATS
from annotation.exporting.making import Export
from annotation.exporting.options import Options
from annotation.exporting.reading import FIRST_CHUNK, Reader, one_moment
from annotation.exporting.work import Work
from annotation.importing.fields import ID_CHARACTERS
from annotation.models import Dataset, Label, LateDecision, Pair, Reconsideration, Slot, Standing
from judging.models import Verdict
from tests.annotation.exporting import export_of, exported, label_with_everything, late_decision
from tests.annotation.importing import pair_row, problems_of, run_import
from tests.factories import make_dataset, make_label, make_pair, make_user
from tests.pandalm import FOLDER, GPT, PANDALM, TEST_SET, needs_pandalm, rows

pytestmark = pytest.mark.django_db


def lines(slug: str) -> list[dict]:
    return [json.loads(line) for line in exported(slug).splitlines()]


@needs_pandalm
@pytest.mark.parametrize(("format_name", "name"), [("tiebreak", "x.jsonl"), ("csv", "x.csv")])
def test_the_real_test_set_comes_back_as_the_same_rows(format_name, name):
    for file in (TEST_SET, GPT, PANDALM):
        run_import(FOLDER / file, dataset="one")
    first = exported("one", format_name)
    again = run_import(first, dataset="two", name=name)
    assert again.summary["errors"] == 0, problems_of(again)[:3]
    assert again.summary["warnings"] == 0
    assert exported("two", format_name) == first
    for model in (Label, Verdict):
        one, two = (model.objects.filter(pair__dataset__slug=slug).count() for slug in ("one", "two"))
        assert one == two > 0


@needs_pandalm
def test_the_pandalm_format_is_the_released_file():
    run_import(FOLDER / TEST_SET, dataset="one")
    out = json.loads(exported("one", "pandalm"))
    wanted = [
        row | {name: json.dumps(row[name]) for name in ("response1", "response2") if not isinstance(row[name], str)}
        for row in rows(TEST_SET)
    ]
    assert out == wanted


def test_an_export_into_its_own_dataset_changes_nothing():
    dataset = make_dataset(slug="d", pairs=3)
    make_label(pair=dataset.pairs.first(), annotator=make_user(), choice=0, rationale="=)", seconds=1.5)
    again = run_import(exported("d"), dataset="d")
    assert again.summary["pairs"] == {"new": 0, "known": 3, "changed": 0}
    assert again.summary["labels"] == {"new": 0, "known": 1, "changed": 0}


def test_everything_of_labels_and_verdicts_comes_out():
    make_user(username="anna")
    label = {
        "annotator": "anna", "choice": "tie", "rationale": "hm", "seconds": 31.5, "swapped": True,
        "at": "2026-11-01T09:00:00+00:00", "changed_at": "2026-11-02T09:00:00+00:00", "flag": "unsafe",
    }  # fmt: skip
    verdict = {
        "judge": "j", "swapped": True, "choice": 2, "status": "ok", "reason": "r", "reference": "ref", "raw": "2\n",
        "prompt_tokens": 10, "answer_tokens": 1, "seconds": 0.25, "cost": 0.000123, "at": "2026-11-01T09:00:00+00:00",
        "probabilities": {"1": 0.2, "2": 0.7, "tie": 0.1},
        "altered": {"shortened_to": 1200, "escaped": ["### Evaluation:", "é"]},
    }  # fmt: skip
    refused = {"judge": "k", "swapped": False, "choice": None, "status": "refused", "raw": "No."}
    row = pair_row(labels=[label], verdicts=[verdict, refused], difficulty=3, tags=["a", {"b": None}])
    source = run_import([row | {"model1": "m", "source": "s", "reference": "r"}])
    assert problems_of(source) == []
    (out,) = lines("d")
    assert out["labels"] == [label]
    assert out["verdicts"][0] == verdict
    assert out["verdicts"][1].items() >= refused.items()
    assert (out["difficulty"], out["tags"], out["model1"]) == (3, ["a", {"b": None}], "m")
    assert run_import(exported("d"), dataset="d").summary["verdicts"] == {"new": 0, "known": 2, "changed": 0}


def test_extra_keys_that_would_be_read_as_something_else_stay_extra():
    metadata = {"id": 1, "metadata": [2], "labels": {"a": 3}, "label:x": 4, "free": 5}
    run_import([pair_row(metadata=metadata)])
    assert Pair.objects.get().metadata == metadata
    run_import(exported("d"), dataset="e")
    assert Pair.objects.get(dataset__slug="e").metadata == metadata
    run_import(exported("d", "csv"), dataset="f", name="x.csv")
    assert Pair.objects.get(dataset__slug="f").metadata == metadata


# Everything that JSON and PostgreSQL can both hold.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
odd_rows = st.fixed_dictionaries(
    {"instruction": texts, "response1": texts, "response2": texts},
    optional={
        "input": texts,
        "reference": texts,
        "source": texts,
        "model1": texts,
        "model2": texts,
        "id": texts.filter(lambda text: len(text) <= ID_CHARACTERS),
        "extra": st.recursive(st.none() | st.booleans() | texts | st.integers(-(2**53), 2**53), st.lists, max_leaves=4),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(odd_rows, min_size=1, max_size=4), st.sampled_from(["tiebreak", "csv"]))
def test_odd_texts_survive_the_round_trip(given_rows, format_name):
    Pair.objects.all().delete()
    Dataset.objects.all().delete()
    source = run_import(given_rows, dataset="one")
    if source.summary["errors"]:
        assert {field for _, field, _ in problems_of(source)} == {"id"}  # The same id or the same pair twice.
        return
    first = exported("one", format_name)
    again = run_import(first, dataset="two", name="x.csv" if format_name == "csv" else "x.jsonl")
    assert problems_of(again) == []
    assert exported("two", format_name) == first
    assert exported("two", "tiebreak") == exported("one", "tiebreak")


def test_the_csv_has_a_column_for_each_annotator_and_judge():
    make_user(username="anna"), make_user(username="ben")
    verdicts = [
        {"judge": "j", "choice": 1},
        {"judge": "j", "choice": "tie", "swapped": True},
        {"judge": "k", "choice": None, "status": "too_long"},
    ]
    run_import([pair_row(1, labels={"anna": 1, "ben": 0}, verdicts=verdicts), pair_row(2, labels={"ben": 2})])
    first, second = csv.DictReader(io.StringIO(exported("d", "csv").decode(), newline=""))
    assert (first["label:anna"], first["label:ben"], second["label:anna"], second["label:ben"]) == ("1", "tie", "", "2")
    assert (first["verdict:j"], first["verdict:j:swapped"], first["verdict:k"]) == ("1", "tie", "too_long")


def test_the_csv_for_spreadsheets_has_no_formulas_and_the_exact_one_has_them():
    texts = {"response1": '=HYPERLINK("http://x")', "response2": "-5", "instruction": "\t@cmd", "input": "+1"}
    run_import([pair_row(**texts)])
    (safe,) = csv.DictReader(io.StringIO(exported("d", "csv", spreadsheet=True).decode("utf-8-sig"), newline=""))
    assert {name: safe[name] for name in texts} == {name: "'" + text for name, text in texts.items()}
    (exact,) = csv.DictReader(io.StringIO(exported("d", "csv").decode(), newline=""))
    assert {name: exact[name] for name in texts} == texts


def test_pandalm_numbers_annotators_who_are_called_otherwise():
    for name in ("annotator2", "zoe", "adam"):
        make_user(username=name)
    run_import([pair_row(labels={"annotator2": 1, "zoe": "tie"}), pair_row(2, labels={"adam": 2})])
    first, second = json.loads(exported("d", "pandalm"))
    assert [first[f"annotator{n}"] for n in (1, 2, 3)] == [None, 1, 0]
    assert second["annotator1"] == 2


TEXT_FORMATS = sorted(set(FORMATS) - {"parquet", "pandalm-train"})


@pytest.mark.parametrize("format_name", TEXT_FORMATS)
def test_an_empty_dataset_is_a_file_without_pairs(format_name):
    make_dataset(slug="empty")
    out, manifest = export_of("empty", format_name)
    assert out.count(b"\n") <= 1
    assert manifest["rows"] == manifest["read"]["pairs"] == 0


@pytest.mark.parametrize("format_name", ["tiebreak", "csv-labels", "preferences"])
def test_the_manifest_says_whose_labels_gold_leaves_out(format_name):
    dataset, other = make_dataset(slug="d", pairs=1), make_dataset(slug="e", pairs=1)
    assert export_of("d", format_name)[1]["gold_leaves_out"] == []
    for name in ("zoe", "anna", "ben"):
        person = make_user(username=name)
        make_label(pair=dataset.pairs.get(), annotator=person)
        Standing.objects.create(dataset=dataset, annotator=person, left_out=name != "ben")
        Standing.objects.create(dataset=other, annotator=person, left_out=True)
    assert export_of("d", format_name)[1]["gold_leaves_out"] == ["anna", "zoe"]


def test_queries_grow_with_chunks_not_with_pairs(django_assert_max_num_queries):
    make_dataset(slug="d", pairs=FIRST_CHUNK)
    with django_assert_max_num_queries(12):
        assert len(exported("d").splitlines()) == FIRST_CHUNK


def test_chunks_of_any_size_give_every_pair_once(monkeypatch):
    monkeypatch.setattr(reading, "FIRST_CHUNK", 1)
    monkeypatch.setattr(reading, "CHUNK_CHARACTERS", 3 * len("Instruction 1" * 3))
    make_dataset(slug="d", pairs=11)
    ids = [row["id"] for row in lines("d")]
    assert ids == list(Pair.objects.order_by("pk").values_list("external_id", flat=True))


def test_aspects_reveals_and_late_decisions_come_back_as_the_same_rows():
    make_user(username="anna"), make_user(username="ben")
    source = run_import([pair_row(labels=[label_with_everything()], late_decisions=[late_decision()])])
    assert problems_of(source) == []
    first = exported("d")
    (row,) = lines("d")
    assert row["labels"] == [label_with_everything()]
    assert row["late_decisions"] == [late_decision()]
    again = run_import(first, dataset="e")
    assert problems_of(again) == []
    assert exported("e") == first
    label = Label.objects.get(pair__dataset__slug="e")
    assert (label.aspects, label.confidence) == ({"clarity": 1, "adherence": 0}, 3)
    assert Reconsideration.objects.get(label=label).choice == 2
    assert LateDecision.objects.filter(pair__dataset__slug="e").count() == 1
    assert Slot.objects.filter(pair__dataset__slug="e", state="done").count() == 1
    assert run_import(first, dataset="e").summary["errors"] == 0
    assert Reconsideration.objects.count() == LateDecision.objects.count() == 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"labels": [label_with_everything() | {"confidence": 4}]}, "labels[0].confidence"),
        ({"labels": [label_with_everything() | {"aspects": ["clarity"]}]}, "labels[0].aspects"),
        ({"labels": [label_with_everything() | {"aspects": {"clarity": 3}}]}, "labels[0].aspects.clarity"),
        ({"labels": [label_with_everything() | {"reconsidered": 2}]}, "labels[0].reconsidered"),
        ({"labels": [label_with_everything() | {"reconsidered": {"choice": 2, "x": 1}}]}, "labels[0].reconsidered.x"),
        ({"late_decisions": {"ben": 1}}, "late_decisions"),
        ({"late_decisions": [late_decision() | {"confidence": 1}]}, "late_decisions[0].confidence"),
        ({"late_decisions": [late_decision(), late_decision() | {"choice": 2}]}, "late_decisions"),
        ({"late_decisions": [late_decision() | {"annotator": "nobody"}]}, "labels"),
    ],
)
def test_what_is_wrong_with_a_label_is_told_by_its_field(values, field):
    make_user(username="anna"), make_user(username="ben")
    assert {found for _, found, _ in problems_of(run_import([pair_row(**values)]))} == {field}


def test_what_was_said_late_or_after_the_reveal_is_never_replaced():
    make_user(username="anna"), make_user(username="ben")
    run_import([pair_row(labels=[label_with_everything()], late_decisions=[late_decision()])])
    changed = label_with_everything() | {"reconsidered": {"choice": 1}}
    again = run_import([pair_row(labels=[changed], late_decisions=[late_decision() | {"choice": 1}])], replace=True)
    assert {field for _, field, _ in problems_of(again)} == {"labels.reconsidered", "late_decisions"}


@pytest.mark.django_db(transaction=True)
def test_the_file_is_the_dataset_in_one_moment():
    dataset = make_dataset(slug="d", pairs=FIRST_CHUNK + 1)
    made = Export(dataset=dataset, format_name="tiebreak")
    pieces = made.format.write  # Read by hand, so that something happens between two chunks.
    with one_moment():
        work = Work(dataset=dataset, options=Options(), reader=Reader(dataset))
        found = pieces(work)
        next(found)
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_label_the_last_pair).result()
        rest = [json.loads(row) for row in found]
    assert Label.objects.count() == 1
    assert len(rest) == FIRST_CHUNK
    assert not any(row["labels"] for row in rest)


def _label_the_last_pair() -> None:
    make_label(pair=Pair.objects.order_by("pk").last(), annotator=make_user())
    connection.close()


def test_slots_keep_the_side_that_a_label_was_shown_on():
    make_user(username="anna")
    pair = make_pair()
    run_import(
        [lines(pair.dataset.slug)[0] | {"labels": [{"annotator": "anna", "choice": 1, "swapped": True}]}],
        dataset=pair.dataset.slug,
    )
    slot = Slot.objects.get(annotator__username="anna")
    assert (slot.state, slot.swapped) == ("done", True)
