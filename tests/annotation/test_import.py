"""What an import stores, what a later one adds, and what it leaves alone."""

import contextlib
import hashlib
import json

import pytest
from django.db import connection

from annotation.importing import run, staging
from annotation.importing.staging import hex_hash
from annotation.models import (
    Dataset,
    Generator,
    Import,
    Label,
    LabelRevision,
    Pair,
    Prompt,
    Response,
    Slot,
    User,
    content_hash,
)
from jobs.models import Job
from judging.models import Judge, JudgeRun, Verdict
from tests.annotation.importing import pair_row, problems_of, run_import
from tests.factories import make_dataset, make_guideline, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_user(username="anna")


has_anna = pytest.mark.usefixtures("anna")


def ok(content, **options) -> Import:
    source = run_import(content, **options)
    assert source.job.state == "succeeded", problems_of(source)
    return source


def claim(slot: Slot, user: User, *, expires: str) -> None:
    Slot.objects.filter(pk=slot.pk).update(
        state="claimed", annotator=user, claimed_at="2019-01-01T00:00:00Z", expires_at=f"{expires}T00:00:00Z"
    )


class TestPairs:
    def test_a_row_with_all_that_is_known(self):
        ok([pair_row(input="i", reference="r", source="s", model1="m1", model2="m2", year=2026)])
        pair = Pair.objects.with_texts().get()
        assert (pair.prompt.input, pair.prompt.reference, pair.prompt.source) == ("i", "r", "s")
        assert (pair.response_1.generator.name, pair.response_2.generator.name) == ("m1", "m2")
        assert (pair.external_id, pair.metadata) == ("1", {"year": 2026})

    def test_hashes_are_those_of_the_models(self):
        ok([pair_row(input="\u00e9\u732b")])
        prompt = Prompt.objects.get()
        assert prompt.content_hash == content_hash("Instruction 1", "\u00e9\u732b", "", "")
        assert {r.text_hash for r in Response.objects.all()} == {content_hash("First 1"), content_hash("Second 1")}
        assert hex_hash("a", "bc") == content_hash("a", "bc").hex

    def test_prompts_and_responses_are_shared(self):
        shared = {"instruction": "same", "model1": "a", "model2": "b"}
        ok([pair_row(1, **shared), pair_row(2, **shared) | {"response1": "First 1"}])
        ok([pair_row(1, **shared)], dataset="other")
        assert Prompt.objects.count() == 1
        assert Response.objects.count() == 3
        assert Generator.objects.count() == 2
        assert Pair.objects.count() == 3

    def test_an_id_is_made_from_the_content(self):
        rows = [{k: v for k, v in pair_row(n).items() if k != "id"} for n in (1, 2)]
        ok([*rows, rows[0]])
        ids = set(Pair.objects.values_list("external_id", flat=True))
        assert len(ids) == 2
        again = ok(rows)
        assert again.summary["pairs"] == {"new": 0, "known": 2, "changed": 0}
        assert set(Pair.objects.values_list("external_id", flat=True)) == ids

    def test_pairs_stand_in_the_order_of_the_file(self):
        ok([pair_row(n) for n in (5, 3, 4)])
        assert list(Pair.objects.order_by("pk").values_list("external_id", flat=True)) == ["5", "3", "4"]

    def test_json_lines_arrays_and_csv_say_the_same(self):
        rows = [pair_row(n, response1='a "b"\n,c', input="") for n in (1, 2)]
        csv = "id,instruction,response1,response2\n" + "".join(
            f'{r["id"]},{r["instruction"]},"a ""b""\n,c",{r["response2"]}\n' for r in rows
        )
        for slug, content in {"lines": rows, "array": json.dumps(rows, indent=2), "csv": csv}.items():
            ok(content, dataset=slug)
            pairs = Pair.objects.with_texts().filter(dataset__slug=slug).order_by("pk")
            assert [(p.external_id, p.response_1.text) for p in pairs] == [("1", 'a "b"\n,c'), ("2", 'a "b"\n,c')]

    def test_an_array_that_is_longer_than_what_is_read_at_once(self):
        rows = [pair_row(n, response1="\u732b" * 700) for n in range(1, 400)]
        source = ok(json.dumps(rows, ensure_ascii=False))
        assert (source.summary["rows"], source.summary["unit"]) == (399, "element")
        assert Pair.objects.count() == 399

    def test_the_same_id_with_other_texts_in_the_dataset(self):
        ok([pair_row(1), pair_row(2)])
        source = run_import([pair_row(1, response2="else", model1="m")])
        ((line, field, message),) = problems_of(source)
        assert (line, field) == (1, "id")
        assert "another response2, model1" in message

    def test_the_same_pair_under_another_id_in_the_dataset(self):
        ok([pair_row(1, model1="m")])
        source = run_import([pair_row(1, model1="m") | {"id": "2"}])
        assert "under the id 1" in problems_of(source)[0][2]
        ok([pair_row(1, model1="n") | {"id": "2"}])

    def test_other_metadata_is_a_warning_unless_replaced(self):
        ok([pair_row(year=1)])
        source = ok([pair_row(year=2)])
        assert (source.summary["warnings"], Pair.objects.get().metadata) == (1, {"year": 1})
        source = ok([pair_row(year=2)], replace=True)
        assert source.summary["pairs"] == {"new": 0, "known": 0, "changed": 1}
        assert Pair.objects.get().metadata == {"year": 2}

    def test_purpose_and_labels_per_pair_of_a_new_dataset(self):
        ok([pair_row()], dataset="test")
        ok([pair_row()], dataset="train", purpose="train")
        ok([pair_row()], dataset="five", labels_per_pair=5)
        found = Dataset.objects.values_list("slug", "purpose", "labels_per_pair")
        assert set(found) == {("test", "test", 3), ("train", "train", 0), ("five", "test", 5)}
        assert {slug: Slot.objects.filter(dataset__slug=slug).count() for slug, _, _ in found} == {
            "test": 3,
            "train": 0,
            "five": 5,
        }

    def test_an_import_raises_labels_per_pair_but_does_not_lower_it(self):
        ok([pair_row()])
        ok([pair_row()], labels_per_pair=4)
        assert Slot.objects.count() == Dataset.objects.get().labels_per_pair == 4
        assert problems_of(run_import([pair_row()], labels_per_pair=2))[0][1] == "labels_per_pair"

    def test_a_purpose_that_the_dataset_does_not_have(self):
        ok([pair_row()])
        assert problems_of(run_import([pair_row(2)], purpose="train"))[0][1] == "purpose"

    def test_the_slots_of_a_pair_alternate_from_a_random_side(self):
        ok([pair_row(n) for n in range(60)], labels_per_pair=4)
        sides = [tuple(p.slots.order_by("number").values_list("swapped", flat=True)) for p in Pair.objects.all()]
        assert set(sides) == {(True, False, True, False), (False, True, False, True)}
        assert 10 < sum(first for first, *_ in sides) < 50  # five standard deviations


class TestLabels:
    @has_anna
    def test_labels_fill_slots(self):
        make_user(username="ben")
        ok([pair_row(labels={"anna": 1, "ben": "tie"})])
        assert set(Slot.objects.values_list("state", "annotator__username")) == {
            ("done", "anna"),
            ("done", "ben"),
            ("free", None),
        }

    @has_anna
    def test_a_later_import_adds_labels(self):
        ok([pair_row(1), pair_row(2)])
        source = ok([pair_row(2, labels={"anna": 2})])
        assert source.summary["labels"] == {"new": 1, "known": 0, "changed": 0}
        assert Label.objects.get().pair.external_id == "2"

    @has_anna
    def test_another_choice_is_a_problem_unless_replaced_and_then_history_is_kept(self):
        first = {"annotator": "anna", "choice": 1, "rationale": "old", "seconds": 2, "at": "2026-01-01T00:00:00Z"}
        ok([pair_row(labels=[first])])
        source = run_import([pair_row(labels={"anna": 2})])
        assert "anna chose 1 for this pair, not 2" in problems_of(source)[0][2]
        assert Label.objects.get().choice == 1
        source = ok([pair_row(labels={"anna": 2})], replace=True)
        assert source.summary["labels"] == {"new": 0, "known": 0, "changed": 1}
        assert Label.objects.get().choice == 2
        kept = LabelRevision.objects.get()
        assert (kept.choice, kept.rationale, kept.seconds, kept.decided_at.year) == (1, "old", 2.0, 2026)
        assert ok([pair_row(labels={"anna": 2})], replace=True).summary["labels"]["known"] == 1
        assert LabelRevision.objects.count() == 1

    @has_anna
    def test_another_rationale_is_never_dropped_without_a_word(self):
        def saying(*rationales: str) -> list[dict]:
            return [pair_row(labels=[{"annotator": "anna", "choice": 1, "rationale": text}]) for text in rationales]

        first = ok(saying("old", "another"))
        assert problems_of(first) == [
            (2, "labels.rationale", "anna gives another rationale in line 1, which is the one that is kept.")
        ]
        again = ok(saying("new"))
        assert "with another rationale, which is kept. Import with Replace" in problems_of(again)[0][2]
        assert Label.objects.get().rationale == "old"
        assert ok(saying("")).summary["warnings"] == 0
        assert ok(saying("new"), replace=True).summary["warnings"] == 0
        assert Label.objects.get().rationale == "new"

    def test_a_claimed_slot_is_filled_by_its_own_annotator(self, anna):
        ok([pair_row()], labels_per_pair=1)
        slot = Slot.objects.get()
        claim(slot, anna, expires="2999-01-01")
        ok([pair_row(labels={"anna": 1})])
        slot.refresh_from_db()
        assert (slot.state, slot.expires_at) == ("done", None)

    @has_anna
    def test_a_claim_of_somebody_else_is_left_to_them(self):
        ok([pair_row()], labels_per_pair=1)
        claim(Slot.objects.get(), make_user(username="ben"), expires="2999-01-01")
        assert "room for 0" in problems_of(run_import([pair_row(labels={"anna": 1})]))[0][2]

    def test_a_claim_that_ran_out_is_not(self, anna):
        ok([pair_row()], labels_per_pair=1)
        claim(Slot.objects.get(), make_user(username="ben"), expires="2020-01-01")
        ok([pair_row(labels={"anna": 1})])
        assert Slot.objects.get().annotator == anna

    def test_created_annotators_cannot_sign_in(self):
        source = ok([pair_row(labels={"zoe": 1})], create_annotators=True)
        zoe = User.objects.get(username="zoe")
        assert (zoe.is_active, zoe.has_usable_password(), zoe.role) == (False, False, "annotator")
        assert source.summary["annotators"] == ["zoe"]

    @has_anna
    def test_a_label_knows_its_guideline(self):
        dataset = make_dataset(slug="d")
        guideline = make_guideline(dataset=dataset)
        labels = [{"annotator": "anna", "choice": 1, "guideline": 1}]
        ok([pair_row(labels=labels)])
        assert Label.objects.get().guideline == guideline
        source = ok([pair_row(labels=labels)], dataset="without")
        assert [(p.severity, p.field) for p in source.problems.all()] == [("warning", "labels.guideline")]


class TestVerdicts:
    row = pair_row(verdicts=[{"judge": "j", "choice": 1, "probabilities": {"1": 0.6, "2": 0.3, "tie": 0.1}}])

    def test_judge_and_run_are_made_once(self):
        ok([self.row])
        ok([pair_row(2, verdicts=[{"judge": "j", "choice": "tie", "swapped": True}])])
        assert Judge.objects.get().backend == "imported"
        run = JudgeRun.objects.get()
        assert (run.job, run.order, run.frozen["name"]) == (None, "both", "j")
        assert Verdict.objects.filter(run=run).count() == 2

    def test_the_judge_may_be_given_for_the_whole_file(self):
        ok([pair_row(verdicts=[{"choice": 1}])], judge="mine")
        assert Judge.objects.get().name == "mine"

    def test_another_verdict_is_a_problem_unless_replaced_and_then_history_is_kept(self):
        ok([self.row])
        before = Verdict.objects.get()
        Verdict.objects.update(altered={"shortened_to": 9})
        other = pair_row(verdicts=[{"judge": "j", "choice": 2, "reason": "new"}])
        assert "--replace" in problems_of(run_import([other]))[0][2]
        assert ok([other], replace=True).summary["verdicts"] == {"new": 0, "known": 0, "changed": 1}
        verdict = Verdict.objects.get()
        assert (verdict.choice, verdict.reason, verdict.p_1) == (2, "new", None)
        (kept,) = verdict.revisions.all()
        for name in ("choice", "status", "p_1", "p_2", "p_tie", "reason", "reference", "raw", "seconds", "cost"):
            assert getattr(kept, name) == getattr(before, name)
        assert (kept.decided_at, kept.altered, verdict.altered) == (before.created_at, {"shortened_to": 9}, None)
        assert ok([other], replace=True).summary["verdicts"]["known"] == 1
        assert verdict.revisions.count() == 1

    def test_what_was_judged_here_is_not_replaced_by_a_file(self):
        source = ok([self.row])
        JudgeRun.objects.update(job=source.job)
        other = pair_row(verdicts=[{"judge": "j", "choice": 2}])
        assert "judged here" in problems_of(run_import([other], replace=True))[0][2]
        assert ok([self.row]).summary["verdicts"]["known"] == 1
        assert Verdict.objects.get().choice == 1

    def test_training_rows_become_pairs_and_verdicts(self):
        rows = [
            {
                "inputs": {"instruction": f"i{n}", "input": "", "response1": "a", "response2": "b"},
                "outputs": {"evaluation_result": result, "evaluation_reason": "why", "reference_response": "ref"},
            }
            for n, result in enumerate(["1", "2", "Tie", "neither"])
        ]
        source = ok(rows)
        assert (source.summary["format"], source.summary["warnings"]) == ("pandalm-train", 1)
        assert Dataset.objects.get().purpose == "train"
        found = Verdict.objects.order_by("pair").values_list("choice", "status", "raw", "reason", "reference")
        assert list(found) == [
            (1, "ok", "", "why", "ref"),
            (2, "ok", "", "why", "ref"),
            (0, "ok", "", "why", "ref"),
            (None, "invalid", "neither", "why", "ref"),
        ]
        assert Judge.objects.get().name == "gpt-3.5-turbo"


class TestOtherFormats:
    def test_mt_bench(self):
        talk = [{"role": role, "content": f"{role} {n}"} for n in (1, 2) for role in ("user", "assistant")]
        row = {"question_id": 81, "model_a": "x", "model_b": "y", "turn": 2}
        row |= {"conversation_a": talk, "conversation_b": [*talk[:3], {"role": "assistant", "content": "B"}]}
        ok([row | {"winner": "model_b", "judge": "expert_1"}, row | {"winner": "tie", "judge": "gpt-4"}])
        pair = Pair.objects.with_texts().get()
        assert (pair.prompt.instruction, pair.response_1.text) == ("user 1\n\nuser 2", "assistant 2")
        assert (pair.response_2.text, pair.response_2.generator.name) == ("B", "y")
        assert (Label.objects.get().choice, Verdict.objects.get().choice) == (2, 0)

    def test_alpaca_eval(self):
        row = {"instruction": "i", "output_1": "a", "output_2": "b", "generator_1": "x", "annotator": "gpt"}
        ok(
            [
                row | {"preference": 1.75, "output_2": "c"},
                row | {"preference": 1.5},
                row | {"preference": None, "output_1": "e"},
            ]
        )
        found = Verdict.objects.order_by("pair").values_list("choice", "status", "p_1", "p_2")
        assert list(found) == [(2, "ok", 0.25, 0.75), (0, "ok", None, None), (None, "invalid", None, None)]

    def test_preference_rows(self):
        ok([{"prompt": "p", "chosen": "good", "rejected": "bad", "margin": 2}])
        pair = Pair.objects.with_texts().get()
        assert (pair.response_1.text, pair.response_2.text, pair.metadata) == ("good", "bad", {"margin": 2})
        assert (Verdict.objects.get().choice, Judge.objects.get().name) == (1, "preference")


class TestTheWhole:
    @has_anna
    def test_a_dry_run_tells_the_same_and_stores_nothing(self):
        row = pair_row(labels={"anna": 1}, verdicts=[{"judge": "j", "choice": 1}])
        tried = ok([row], dry_run=True)
        assert not Dataset.objects.exists()
        assert not any(m.objects.exists() for m in (Prompt, Pair, Label, Slot, Judge, Verdict))
        done = ok([row])
        for name in ("pairs", "labels", "verdicts", "rows", "sha256"):
            assert tried.summary[name] == done.summary[name]

    def test_a_dry_run_tells_problems(self):
        source = run_import([pair_row(response1=None)], dry_run=True)
        assert (source.job.state, source.summary["errors"]) == ("failed", 1)

    def test_the_summary_knows_the_file(self):
        content = b'{"instruction": "a", "response1": "b", "response2": "c"}'
        source = ok(content)
        assert source.summary["sha256"] == hashlib.sha256(content).hexdigest()
        assert source.summary["bytes"] == len(content)

    def test_an_import_that_fails_at_the_end_leaves_nothing(self, monkeypatch):
        def broken(**_: object) -> None:
            raise ConnectionError("the database went away")

        monkeypatch.setattr(run, "make_slots", broken)
        with pytest.raises(ConnectionError):
            run_import([pair_row()])
        assert not Dataset.objects.exists()
        assert not Pair.objects.exists()

    def test_texts_shared_by_batches_are_stored_once(self, monkeypatch):
        monkeypatch.setattr(staging, "BATCH_ROWS", 2)
        rows = [pair_row(n, instruction="same", model1="a", model2=f"m{n % 2}", response2="second") for n in range(6)]
        rows = [row | {"response1": f"first {n // 2}"} for n, row in enumerate(rows)]
        source = ok([*rows[:5], rows[0], *rows[5:]])
        assert source.summary["pairs"] == {"new": 6, "known": 0, "changed": 0, "prompts": 1, "responses": 5}
        assert Response.objects.count() == 5

    def test_a_mistake_in_a_later_batch_takes_back_the_earlier_ones(self, monkeypatch):
        monkeypatch.setattr(staging, "BATCH_ROWS", 2)
        rows = [pair_row(n) for n in range(9)]
        source = run_import([*rows, pair_row(3, response1="other"), pair_row(99, response1=None)])
        assert problems_of(source)[0][:2] == (10, "id")
        assert problems_of(source)[1][:2] == (11, "response1")
        assert not any(m.objects.exists() for m in (Prompt, Response, Pair))

    def test_a_second_import_waits_for_the_first_and_says_so(self, monkeypatch):
        key = "hashtextextended('tiebreak.import', 0)"
        told = []
        other = connection.copy()
        with contextlib.closing(other), other.cursor() as first:
            first.execute(f"SELECT pg_advisory_lock({key})")

            def first_ends(_seconds: float) -> None:
                told.append(Job.objects.get().phase)
                first.execute(f"SELECT pg_advisory_unlock({key})")

            monkeypatch.setattr(run, "_pause", first_ends)
            ok([pair_row()])
        assert told == ["Waiting for another import to end"]
