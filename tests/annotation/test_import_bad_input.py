"""Whatever is wrong with a file is told by line and field, all of it at once, and nothing is stored."""

import io
import json
import tracemalloc

import pytest

from annotation.importing.problems import KEPT, Problems
from annotation.importing.reading import ROW_LIMIT, RowReader
from annotation.models import Dataset, Generator, Label, Pair, Prompt, Response, Slot
from tests.annotation.importing import pair_row, problems_of, run_import
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def refused(content, **options) -> list[tuple[int | None, str, str]]:
    """The problems of a file that must not come in; nothing of it may be stored."""
    source = run_import(content, **options)
    assert source.job.state == "failed"
    assert "Nothing was imported" in source.job.error
    assert source.summary["errors"] == source.problems.filter(severity="error").count() > 0
    for model in (Dataset, Prompt, Response, Generator, Pair, Slot, Label):
        assert not model.objects.exists()
    return problems_of(source)


def only(content, **options) -> tuple[int | None, str, str]:
    (problem,) = refused(content, **options)
    return problem


def encoded(*rows: object) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


class TestFiles:
    @pytest.mark.parametrize("content", [b"", b"  \n\n", b"\xef\xbb\xbf"])
    def test_an_empty_file(self, content):
        assert only(content) == (None, "", "The file is empty. Choose one with at least one pair in it.")

    def test_an_empty_array(self):
        assert "no row" in only(b"[ ]")[2]

    def test_truncated_json_lines(self):
        good = encoded(pair_row(1), pair_row(2))
        line, _, message = only(good[:-20])
        assert line == 2
        assert "cut off" in message

    def test_a_truncated_array(self):
        whole = json.dumps([pair_row(1), pair_row(2)], indent=1).encode()
        for cut in (len(whole) - 1, len(whole) - 20, len(whole) // 2 + 5):
            line, _, message = refused(whole[:cut])[-1]
            assert line in (1, 2, 3)
            assert "cut off" in message

    def test_broken_json_says_where_and_the_other_lines_are_read(self):
        content = encoded(pair_row(1)) + b'\n{"id": "2", "instruction" "x"}\n' + encoded(pair_row(3, response1=None))
        first, second = refused(content)
        assert first[0] == 2
        assert "Expecting ':'" in first[2]
        assert second[:2] == (3, "response1")

    def test_a_byte_order_mark_is_accepted(self):
        assert run_import(b"\xef\xbb\xbf" + encoded(pair_row())).job.state == "succeeded"

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_utf_16(self, encoding):
        line, _, message = only(encoded(pair_row()).decode().encode(encoding))
        assert line is None
        assert "UTF-16" in message
        assert "iconv" in message

    @pytest.mark.parametrize("shape", ["lines", "array", "csv"])
    def test_latin_1_is_named_with_its_byte_offset(self, shape):
        rows = [pair_row(1), pair_row(2, response1="caf\u00e9 " * 200_000)]
        content = {
            "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
            "array": json.dumps(rows, ensure_ascii=False),
            "csv": "id,instruction,response1,response2\n1,a,b,c\n2,a,caf\u00e9,c\n",
        }[shape].encode("latin-1")
        line, _, message = only(content)
        assert line == (3 if shape == "csv" else 2)
        assert f"byte 0xE9 at byte offset {content.index(0xE9)} " in message
        assert "WINDOWS-1252" in message

    def test_neither_json_nor_csv(self):
        assert "neither JSON" in only(b"hello\nworld\n")[2]

    def test_rows_that_are_no_objects(self):
        assert [line for line, _, _ in refused(b'{"a": 1}\n[1]\n7'.replace(b'{"a": 1}', encoded(pair_row())))] == [2, 3]
        assert [line for line, _, _ in refused(b'[1, "x", null]')] == [1, 2, 3]

    def test_more_after_the_array(self):
        assert "after the end" in only(b"[" + encoded(pair_row()) + b"] {}")[2]

    def test_unknown_keys_name_the_formats(self):
        line, _, message = only(encoded({"question": "x", "answer": "y"}))
        assert line == 1
        assert "'question', 'answer'" in message
        assert "pandalm-testset" in message

    def test_nan_is_not_json(self):
        assert "NaN is not JSON" in only(b'{"id": "1", "instruction": "a", "response1": "b", "x": NaN}')[2]


class TestLongRows:
    def test_a_line_of_200_mb_is_passed_over_in_little_memory(self):
        problems = Problems()
        reader = RowReader(_Endless(200 * 10**6), name="x.jsonl", problems=problems)
        tracemalloc.start()
        rows = list(reader)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [row.line for row in rows] == [1, 3]
        assert [(p.line, "longer than 16 MiB" in p.message) for p in problems.kept] == [(2, True)]
        assert peak < 3 * ROW_LIMIT

    def test_an_element_that_is_too_long(self):
        content = b"[" + encoded(pair_row(1)) + b',{"instruction": "' + b"x" * (ROW_LIMIT + 10) + b'"}]'
        line, _, message = only(content)
        assert (line, "longer than 16 MiB" in message) == (2, True)

    def test_a_csv_row_that_is_too_long(self):
        content = b'instruction,response1,response2\na,b,"' + b"x" * (ROW_LIMIT + 10)
        line, _, message = only(content, name="x.csv")
        assert (line, "longer than 16 MiB" in message) == (2, True)

    def test_a_long_row_below_the_limit_comes_in(self):
        run_import([pair_row(response1="x" * (ROW_LIMIT // 2))])
        run_import(json.dumps([pair_row(response1="y" * (ROW_LIMIT // 2))]), dataset="e")
        assert {len(text) for text in Response.objects.values_list("text", flat=True)} >= {ROW_LIMIT // 2}


class _Endless(io.RawIOBase):
    """Two good rows with a line of this many bytes between them, which is nowhere in memory."""

    def __init__(self, length: int):
        self.row = encoded(pair_row()) + b"\n"
        self.start, self.end = len(self.row), len(self.row) + length
        self.total = self.end + len(self.row)
        self.at = 0

    def seek(self, offset, whence=0):
        self.at = {0: 0, 1: self.at, 2: self.total}[whence] + offset
        return self.at

    def tell(self):
        return self.at

    def read(self, size=-1):
        size = min(size, self.total - self.at)
        part = bytes(map(self._byte, range(self.at, self.at + size))) if size < 1_000 else self._many(size)
        self.at += size
        return part

    def _many(self, size):
        whole = bytearray(b"x") * size
        for at in [*range(self.start), *range(self.end - 1, self.total)]:
            if self.at <= at < self.at + size:
                whole[at - self.at] = self._byte(at)
        return bytes(whole)

    def readline(self, limit=-1):
        ends = (self.start, self.end, self.total)
        end = next(end for end in ends if self.at < end) if self.at < self.total else self.at
        return self.read(min(end - self.at, limit))

    def _byte(self, at):
        if at < self.start:
            return self.row[at]
        if at >= self.end:
            return self.row[at - self.end]
        return 10 if at == self.end - 1 else 120


class TestCsv:
    def test_a_missing_column_is_said_once(self):
        line, _, message = only(b"instruction,response1\na,b\nc,d\n")
        assert line == 1
        assert "response2 is missing" in message

    def test_a_row_with_too_many_cells(self):
        content = b'instruction,response1,response2\na,"b\nb",c\na,b,c,d\n'
        line, _, message = only(content)
        assert line == 4  # A quoted text may span lines: this row really begins on the fourth.
        assert "4 cells, but the header names 3" in message

    def test_a_quotation_mark_that_never_ends(self):
        assert "quotation mark" in only(b'instruction,response1,response2\na,b,"c\n')[2]

    def test_two_columns_of_one_name(self):
        assert "Two columns are called 'input'" in only(b"instruction,input,input\n")[2]


class TestFields:
    @pytest.mark.parametrize("name", ["instruction", "response1", "response2"])
    def test_a_missing_text(self, name):
        row = pair_row()
        del row[name]
        assert only([pair_row(9), row])[:2] == (2, name)

    def test_every_problem_is_told_at_once(self):
        make_user(username="anna")
        rows = [pair_row(1), pair_row(2, response1=None, labels={"anna": 3}), pair_row(3, labels={"nobody": 1})]
        found = [(line, field) for line, field, _ in refused(rows)]
        assert found == [(2, "response1"), (2, "labels.anna"), (3, "labels")]

    @pytest.mark.parametrize("choice", [3, -1, "3", "left", True, False, 1.0, 1.5, None, "", [], {}])
    def test_labels_outside_1_2_0_and_tie(self, choice):
        make_user(username="anna")
        line, field, message = only([pair_row(labels=[{"annotator": "anna", "choice": choice}])])
        assert (line, field) == (1, "labels[0].choice")
        assert '1, 2 or "tie"' in message

    @pytest.mark.parametrize(("choice", "stored"), [(1, 1), (2, 2), (0, 0), ("1", 1), ("tie", 0), ("Tie", 0), ("0", 0)])
    def test_labels_inside(self, choice, stored):
        make_user(username="anna")
        run_import([pair_row(labels={"anna": choice})])
        assert Label.objects.get().choice == stored

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("seconds", -1),
            ("seconds", "fast"),
            ("seconds", True),
            ("seconds", 1e300),
            ("at", "yesterday"),
            ("at", 1700000000),
            ("at", "2026-13-01T00:00:00Z"),
            ("swapped", "yes"),
            ("annotator", ""),
            ("annotator", "two words"),
            ("annotator", 5),
            ("guideline", 1.5),
            ("confidence", 0.5),
        ],
    )
    def test_what_a_label_cannot_hold(self, key, value):
        make_user(username="anna")
        label = {"annotator": "anna", "choice": 1} | {key: value}
        assert only([pair_row(labels=[label])])[:2] == (1, f"labels[0].{key}")

    @pytest.mark.parametrize(
        "probabilities",
        [
            {"1": 0.5, "2": 0.5, "tie": 0.5},
            {"1": 1.2, "2": -0.2, "tie": 0},
            {"1": 0.5, "2": 0.5},
            {"1": True, "2": 0, "tie": 0},
            {"1": "1", "2": 0, "tie": 0},
            [1, 0, 0],
        ],
    )
    def test_probabilities_are_three_that_sum_to_1(self, probabilities):
        verdict = {"judge": "j", "choice": 1, "probabilities": probabilities}
        line, field, message = only([pair_row(verdicts=[verdict])])
        assert (line, field) == (1, "verdicts[0].probabilities")
        assert "sum 1" in message

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"judge": None}, "judge"),
            ({"judge": "x" * 101}, "judge"),
            ({"choice": None}, "choice"),
            ({"choice": True}, "choice"),
            ({"status": "lost"}, "status"),
            ({"status": "invalid"}, "choice"),
            ({"prompt_tokens": 2**31}, "prompt_tokens"),
            ({"cost": -1}, "cost"),
            ({"cost": 1e6}, "cost"),
            ({"mood": "good"}, "mood"),
            ({"altered": "cut"}, "altered"),
            ({"altered": {"shortened_to": 1.5}}, "altered.shortened_to"),
            ({"altered": {"escaped": "x"}}, "altered.escaped"),
            ({"altered": {"escaped": ["a\0b"]}}, "altered.escaped"),
            ({"altered": {"bent": True}}, "altered.bent"),
        ],
    )
    def test_what_a_verdict_cannot_hold(self, change, field):
        verdict = {"judge": "j", "choice": 1} | change
        assert only([pair_row(verdicts=[verdict])])[:2] == (1, f"verdicts[0].{field}")

    @pytest.mark.parametrize("values", [{"labels": 3}, {"labels": [3]}, {"verdicts": {}}, {"verdicts": ["x"]}])
    def test_labels_and_verdicts_of_another_shape(self, values):
        assert only([pair_row(**values)])[1].startswith(next(iter(values)))

    @pytest.mark.parametrize("value", [True, 1.5, "x" * 201, ["a"]])
    def test_ids_that_are_none(self, value):
        assert only([pair_row() | {"id": value}])[:2] == (1, "id")

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"response1": "a\0b"}, "response1"),
            ({"id": "a\0b"}, "id"),
            ({"model1": "a\0b"}, "model1"),
            ({"extra": {"deep": ["a\0b"]}}, "extra"),
            ({"extra": {"a\0b": 1}}, "extra"),
            ({"instruction": "half \ud83d here"}, "instruction"),
        ],
    )
    def test_characters_that_cannot_be_stored(self, values, field):
        for content in (encoded(pair_row() | values), encoded([pair_row() | values])):
            line, where, message = only(content)
            assert (line, where) == (1, field)
            assert "NUL" in message or "lone surrogate" in message

    def test_a_lone_surrogate_among_the_extra_keys(self):
        assert "extra" in only(encoded(pair_row(extra="\ud83d")))[1]

    def test_an_escaped_backslash_before_u0000_is_no_nul(self):
        run_import([pair_row(extra="\\u0000")])
        assert Pair.objects.get().metadata == {"extra": "\\u0000"}

    def test_a_response_that_is_no_string_is_kept_as_its_json_text(self):
        source = run_import([pair_row(1, response1=True, response2={"a": 1.5}), pair_row(2, response1=3)])
        assert source.job.state == "succeeded"
        assert [(p.line, p.field, p.severity, p.value) for p in source.problems.all()] == [
            (1, "response1", "warning", "true"),
            (1, "response2", "warning", '{"a": 1.5}'),
            (2, "response1", "warning", "3"),
        ]
        assert {"true", '{"a": 1.5}', "3"} <= set(Response.objects.values_list("text", flat=True))


class TestAgainstEachOther:
    def test_one_id_with_different_texts_names_both_lines(self):
        line, field, message = only([pair_row(1), pair_row(2), pair_row(1, response2="else")])
        assert (line, field) == (3, "id")
        assert "Line 1 has the same id with other texts" in message

    def test_one_id_with_different_models(self):
        assert only([pair_row(1, model1="a"), pair_row(1, model1="b")])[:2] == (2, "id")

    def test_one_pair_under_two_ids(self):
        line, _, message = only([pair_row(1), pair_row(1) | {"id": "other"}])
        assert line == 2
        assert "Line 1 is the same pair under the id 1" in message

    def test_an_annotator_who_chose_twice(self):
        make_user(username="anna")
        line, field, message = only([pair_row(1, labels={"anna": 1}), pair_row(1, labels={"anna": "tie"})])
        assert (line, field) == (2, "labels")
        assert "anna chose tie here, but 1 in line 1" in message

    def test_a_judge_that_said_two_things(self):
        rows = [pair_row(1, verdicts=[{"judge": "j", "choice": choice}]) for choice in (1, 2)]
        line, field, message = only(rows)
        assert (line, field) == (2, "verdicts")
        assert "Line 1 has another verdict of j" in message

    def test_an_unknown_annotator_is_named_once_with_what_to_do(self):
        rows = [pair_row(n, labels={"anna": 1}) for n in (1, 2, 3)]
        line, field, message = only(rows)
        assert (line, field) == (1, "labels")
        assert "no annotator called anna (3 labels" in message
        assert "--create-annotators" in message

    def test_more_labels_than_the_dataset_wants(self):
        rows = [pair_row(1, labels=dict.fromkeys("abcd", 1))]
        line, field, message = only(rows, create_annotators=True)
        assert (line, field) == (1, "labels")
        assert "--labels-per-pair" in message
        assert "at least 4" in message
        assert run_import(rows, create_annotators=True, labels_per_pair=4).job.state == "succeeded"


class TestPandaLM:
    def test_a_cmp_key_that_names_no_two_models(self):
        row = {"idx": 1, "instruction": "a", "response1": "b", "response2": "c", "annotator1": 1, "cmp_key": "a_b_c"}
        assert only([row])[:2] == (1, "cmp_key")

    def test_a_verdict_file_of_an_unknown_prefix_needs_a_judge(self):
        line, field, message = refused([{"idx": 1, "llama_result": 1}])[0]
        assert (line, field) == (1, "llama_result")
        assert "Give the judge's name" in message

    def test_training_rows_without_a_result(self):
        row = {"inputs": {"instruction": "a", "response1": "b", "response2": "c"}, "outputs": {}}
        assert (1, "outputs.evaluation_result") in [problem[:2] for problem in refused([row])]

    def test_a_row_of_another_shape_among_them(self):
        row = {"inputs": {"instruction": "a", "response1": "b", "response2": "c"}, "outputs": {"evaluation_result": 1}}
        assert {(2, "inputs"), (2, "outputs")} <= {problem[:2] for problem in refused([row, pair_row()])}


def test_the_first_thousand_problems_are_kept_and_all_are_counted():
    source = run_import([pair_row(n, response1=None) for n in range(KEPT + 500)])
    assert (source.summary["errors"], source.problems.count(), source.summary["left_out"]) == (KEPT + 500, KEPT, 500)


def test_problems_that_a_query_finds_are_counted_beyond_those_kept():
    source = run_import([{"idx": n, "gpt_result": "1"} for n in range(KEPT + 500)])
    assert (source.summary["errors"], source.problems.count(), source.summary["left_out"]) == (KEPT + 500, KEPT, 500)
