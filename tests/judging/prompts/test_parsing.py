"""What a judge wrote is read as one of three choices or as none, and never as a tie by default."""

import json

import pytest

from judging.prompts.parsing import parse_json, parse_pandalm
from tests import pandalm


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("1\n\n### Reason: a\n\n### Reference: b\n", 1),
        ("2", 2),
        ("\n  Tie  \n\n### Reason: a", 0),
        ("tie", 0),
        ("TIE\n", 0),
    ],
)
def test_pandalm_choice_is_the_first_line(text, choice):
    parsed = parse_pandalm(text)
    assert parsed.choice == choice
    start, end = parsed.span
    assert text[start:end].lower() in {"1", "2", "tie"}


@pytest.mark.parametrize(
    "text",
    ["", "  \n", "garbage", "1 2", "Response 1", "12", "0", "3", "True", "1.", "Tie or 1", "### Reason: 1", "one"],
)
def test_anything_else_is_no_choice(text):
    assert parse_pandalm(text).choice is None


def test_pandalm_reason_and_reference_are_what_stands_behind_their_headings():
    parsed = parse_pandalm("2\n\n### Reason: It is true.\nAnd short.\n\n### Reference: The moon.\n")
    assert (parsed.reason, parsed.reference) == ("It is true.\nAnd short.", "The moon.")


def test_an_answer_that_was_cut_off_keeps_the_choice_and_what_there_is_of_the_reason():
    parsed = parse_pandalm("1\n\n### Reason: Response 1 is bet")
    assert (parsed.choice, parsed.reason, parsed.reference) == (1, "Response 1 is bet", "")


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"choice": "1"}', 1),
        ('{"choice": 2}', 2),
        ('{"choice": " Tie "}', 0),
        ('Here you are:\n```json\n{"choice": "tie", "reason": "same"}\n```', 0),
        ('<think>{hm}</think> {"reason": "a {brace}", "choice": "2"}', 2),
        ('{"choice": "1"} I repeat: {"choice": "1"}', 1),
    ],
)
def test_json_choice(text, choice):
    assert parse_json(text).choice == choice


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        '{"choice": true}',
        '{"choice": null}',
        '{"choice": 0}',
        '{"choice": 1.0}',
        '{"choice": "3"}',
        '{"choice": ["1"]}',
        '{"choice": "1", "reason": "cut o',
        '{"choice": "1"} no, {"choice": "2"}',
        '{"verdict": "1"}',
        '["1"]',
        "{" * 5000,
    ],
)
def test_json_that_gives_no_choice(text):
    assert parse_json(text).choice is None


def test_the_span_points_at_the_word_of_the_choice():
    text = 'Well. {"reason": "x", "choice": "tie"}'
    start, end = parse_json(text).span
    assert text[start:end] == "tie"


def test_a_refusal_is_told_apart_from_nonsense():
    assert parse_json("I'm sorry, but I can't compare these.").refused
    assert parse_pandalm("I\u2019m unable to do that").refused
    assert not parse_json("blue").refused


def test_a_choice_stands_even_where_the_reason_begins_with_an_apology():
    parsed = parse_json('I am sorry to say: {"choice": "1"}')
    assert (parsed.choice, parsed.refused) == (1, False)


@pandalm.needs_pandalm
def test_the_released_verdicts_read_back_from_the_text_that_pandalm_writes():
    from judging.prompts.built_in import pandalm_target

    for row in pandalm.rows(pandalm.PANDALM):
        said = json.loads(json.dumps(row))
        text = pandalm_target(
            choice=said["pandalm_result"], reason=said["pandalm_reason"], reference=said["pandalm_reference"]
        )
        parsed = parse_pandalm(text)
        assert parsed.choice == said["pandalm_result"]
        assert parsed.reason == said["pandalm_reason"].strip()
