"""The released PandaLM files go in as they are, with all that is odd about them."""

import pytest
from django.contrib.auth.hashers import is_password_usable

from annotation.models import Dataset, Label, Pair, Prompt, Response, Slot, User
from judging.models import Judge, Verdict
from tests.annotation.importing import run_import
from tests.pandalm import FOLDER, GPT, PANDALM, TEST_SET, needs_pandalm, rows

pytestmark = [pytest.mark.django_db, needs_pandalm]


@pytest.fixture
def imported():
    return [run_import(FOLDER / name, dataset="pandalm") for name in (TEST_SET, GPT, PANDALM)]


def test_everything_is_there(imported):
    assert [source.job.state for source in imported] == ["succeeded"] * 3
    assert Pair.objects.count() == 999
    assert Prompt.objects.count() == 170
    assert Label.objects.count() == Slot.objects.filter(state="done").count() == 2997
    assert Verdict.objects.count() == 1998
    dataset = Dataset.objects.get()
    assert (dataset.purpose, dataset.labels_per_pair) == ("test", 3)
    assert imported[0].summary["pairs"]["new"] == 999
    assert imported[0].dataset == dataset


def test_rows_say_what_the_file_says(imported):
    row = rows(TEST_SET)[100]
    pair = Pair.objects.with_texts().get(external_id=str(row["idx"]))
    assert (pair.prompt.instruction, pair.prompt.input) == (row["instruction"], row["input"])
    assert (pair.response_1.text, pair.response_2.text) == (row["response1"], row["response2"])
    assert f"{pair.response_1.generator}_{pair.response_2.generator}" == row["cmp_key"]
    assert pair.prompt.source == row["motivation_app"]
    choices = {label.annotator.username: label.choice for label in pair.labels.select_related("annotator")}
    assert choices == {f"annotator{n}": row[f"annotator{n}"] for n in (1, 2, 3)}


def test_six_responses_are_no_strings_and_54_pairs_have_an_empty_one(imported):
    warnings = imported[0].problems.all()
    assert len(warnings) == 6
    assert {w.line - 1 for w in warnings} == {157, 158, 159, 161, 162, 164}
    assert {w.field for w in warnings} == {"response1", "response2"}
    assert all(w.severity == "warning" and w.value == "true" for w in warnings)
    assert Response.objects.filter(text="true").exists()
    empty = [p for p in Pair.objects.with_texts() if not (p.response_1.text and p.response_2.text)]
    assert len(empty) == 54


def test_garbage_is_an_invalid_verdict_with_its_raw_text(imported):
    gpt = Verdict.objects.filter(run__judge__name="gpt-3.5-turbo")
    assert gpt.filter(status="invalid", choice=None, raw="garbage").count() == 25
    assert {choice: gpt.filter(choice=choice).count() for choice in (0, 1, 2)} == {0: 38, 1: 460, 2: 476}
    assert imported[1].summary["warnings"] == 25
    pandalm = Verdict.objects.filter(run__judge__name="pandalm-7b")
    assert {choice: pandalm.filter(choice=choice).count() for choice in (0, 1, 2)} == {0: 107, 1: 433, 2: 459}
    assert set(Judge.objects.values_list("backend", flat=True)) == {"imported"}


def test_annotators_cannot_sign_in(imported):
    users = User.objects.order_by("username")
    assert [u.username for u in users] == ["annotator1", "annotator2", "annotator3"]
    assert not any(u.is_active or is_password_usable(u.password) for u in users)


def test_the_same_files_again_change_nothing(imported):
    tables = [Pair, Prompt, Response, Label, Slot, Verdict, User, Judge]
    before = [_versions(model) for model in tables]
    for name in (TEST_SET, GPT, PANDALM):
        again = run_import(FOLDER / name, dataset="pandalm")
        assert again.job.state == "succeeded"
    assert [_versions(model) for model in tables] == before
    assert again.summary["verdicts"] == {"new": 0, "known": 999, "changed": 0}


def test_a_verdict_file_needs_its_pairs():
    source = run_import(FOLDER / GPT, dataset="nothing-here")
    assert source.job.state == "failed"
    assert source.summary["errors"] == 999
    problem = source.problems.first()
    assert (problem.line, problem.field, problem.value) == (1, "id", "0")
    assert "Import its pairs first" in problem.message
    assert not Dataset.objects.exists()
    assert not Judge.objects.exists()


def _versions(model):
    """Every row and the transaction that wrote it: an update, even to the same values, would show."""
    return sorted(model.objects.extra(select={"x": "xmin::text", "c": "ctid::text"}).values_list("pk", "x", "c"))
