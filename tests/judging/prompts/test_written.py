"""From texts to what asks a judge: what must be in them, the answer's form, and what cannot be asked about."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Asked, Texts
from judging.prompts.built_in import CRITERIA_REFERENCE_TEXTS, CRITERIA_TEXTS, PANDALM_TEXTS, TEMPLATES, pandalm_prompt
from judging.prompts.written import BadTemplateError, errors_in, shows_reference, template_of, tidied

PLAIN = Asked("Do it.", "", "AAA", "BBB")
GOOD = "Task: {instruction}\n{if input}With: {input}\n{end}A: {response_1}\nB: {response_2}\nVerdict:\n"


def completion(text: str) -> Texts:
    return Texts(COMPLETION, PANDALM, prompt=text)


def chat(user: str, system: str = "", answer: str = JSON) -> Texts:
    return Texts(CHAT, answer, system=system, user=user)


def test_a_completion_ends_where_the_answer_begins():
    made = template_of("own@1", completion(GOOD))
    assert made.prompt(PLAIN) == "Task: Do it.\nA: AAA\nB: BBB\nVerdict:\n"
    assert made.prompt(replace(PLAIN, input="x")) == "Task: Do it.\nWith: x\nA: AAA\nB: BBB\nVerdict:\n"
    assert made.choice_words[0][0] == "Tie"
    assert made.chat(PLAIN, True) == [{"role": "user", "content": made.prompt(PLAIN)}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("{instruction}", ""), "{instruction} is missing"),
        (GOOD.replace("{response_1}", ""), "{response_1} is missing"),
        (GOOD.replace("{response_2}", ""), "{response_2} is missing"),
        ("Which?\nVerdict:", "{instruction}, {response_1} and {response_2} are missing"),
        (GOOD.replace("{input}", "{inptu}"), "'{inptu}' is no placeholder"),
        (GOOD + "{", "single '{'"),
        (GOOD.replace("A: {response_1}", "{if input}A: {response_1}{end}"), "Move {response_1} out of {if input}"),
        (GOOD.replace("Verdict:\n", ""), "End with a line of its own"),
        (GOOD.replace("Verdict:\n", "Which is better?\n"), "ends in a colon"),
        (GOOD.replace("\nVerdict:\n", " Verdict:\n"), "End with a line of its own"),
        (GOOD.replace("Verdict:\n", "Verdict: {instruction}"), "End with a line of its own"),
        (GOOD.replace("Verdict:\n", "{if input}Verdict:\n{end}"), "End with a line of its own"),
        ("", "are missing"),
    ],
)
def test_a_completion_that_could_not_be_asked_by_says_what_to_do(text, words):
    assert words in errors_in(completion(text))["prompt"][0]
    with pytest.raises(BadTemplateError, match=re.escape(words)):
        template_of("own@1", completion(text))


def test_a_completion_is_answered_by_its_first_word_alone():
    assert "first word" in errors_in(Texts(COMPLETION, JSON, prompt=GOOD))["answer"][0]


def test_a_chat_shows_what_is_judged_in_the_user_text():
    assert errors_in(chat("{instruction}{response_1}{response_2}", "Be fair: {{1, 2}}")) == {}
    found = errors_in(chat("{instruction}{response_1}", "Look at {response_2}. {if input}Mind it.{end}"))
    assert "{response_2} is missing" in found["user"][0]
    assert "Move {response_2} and {if input} into the user text" in found["system"][0]
    assert "single '{'" in errors_in(chat("{instruction}{response_1}{response_2}", "a { b"))["system"][0]


@pytest.mark.parametrize(
    ("answer", "reasons", "reference", "has", "hasnt"),
    [
        (JSON, False, False, '{"choice": "1" or "2" or "tie"}', "reason"),
        (JSON, True, False, '"reference"', "nothing at all"),
        (JSON, True, True, '"reason"', '"reference"'),
        (PANDALM, False, False, "1, 2 or Tie in the first line, and nothing else.", "Reason"),
        (PANDALM, True, False, '"### Reference:"', "nothing else"),
        (PANDALM, True, True, '"### Reason:"', "### Reference"),
    ],
)
def test_how_to_answer_is_added_to_the_system_text(answer, reasons, reference, has, hasnt):
    user = "{instruction}{response_1}{response_2}" + ("{reference}" if reference else "")
    made = template_of("own@1", chat(user, "Be {{fair}}.", answer))
    system, said = made.chat(replace(PLAIN, reference="R"), reasons)
    assert (system["role"], said["role"]) == ("system", "user")
    assert system["content"].startswith("Be {fair}.\n")
    assert has in system["content"]
    assert hasnt not in system["content"]
    assert said["content"] == "Do it.AAABBB" + ("R" if reference else "")
    if answer == JSON:
        wanted = ["choice"] + ["reason"] * reasons + ["reference"] * (reasons and not reference)
        assert list(made.schema(reasons)["properties"]) == made.schema(reasons)["required"] == wanted
    else:
        assert made.schema is None


def test_without_a_system_text_the_system_says_how_to_answer():
    system, _ = template_of("own@1", chat("{instruction}{response_1}{response_2}")).chat(PLAIN, False)
    assert system["content"].startswith("Answer with one JSON object")


def test_what_the_template_needs_and_the_prompt_lacks_is_said():
    by_reference = template_of("facts@2", CRITERIA_REFERENCE_TEXTS)
    assert "facts@2" in by_reference.lacks(PLAIN)
    assert "no reference" in by_reference.lacks(replace(PLAIN, reference=" \n"))
    assert by_reference.lacks(replace(PLAIN, reference="R")) == ""
    assert "does not show" in template_of("own@1", chat("{instruction}{response_1}{response_2}")).lacks(
        replace(PLAIN, input="x")
    )
    assert template_of("own@1", CRITERIA_TEXTS).lacks(replace(PLAIN, input="x")) == ""
    assert [name for name in TEMPLATES if shows_reference(TEMPLATES[name].texts)] == ["criteria-reference@1"]


def test_texts_are_stored_tidied():
    stored = tidied(completion("\r\n" + GOOD.replace("\n", "\r\n") + "\r\n \r\n"))
    assert stored == completion(GOOD)
    assert tidied(chat(" a\r\n", "b \n")) == chat("a", "b")


def as_pandalm_writes(asked: Asked) -> str:
    """PandaLM's own words put together by hand."""
    import judging.prompts.written as written

    first, second = (written.SPECIAL.sub("", text.strip()).strip() for text in (asked.first, asked.second))
    task = "Below are two responses for a given task. The task is defined by the Instruction"
    further, given_ = (
        (" with an Input that provides further context", f"### Input:\n{asked.input}\n\n") if asked.input else ("", "")
    )
    return (
        f"{task}{further}. Evaluate the responses and generate a reference answer for the task.\n\n"
        f"### Instruction:\n{asked.instruction}\n\n{given_}"
        f"### Response 1:\n{first}\n\n### Response 2:\n{second}\n\n### Evaluation:\n"
    )


@given(*[st.text(alphabet="ab{}\n <s>/#:R1")] * 4)
def test_pandalms_prompt_is_the_same_to_the_letter_whatever_stands_in_it(instruction, input_, first, second):
    asked = Asked(instruction, input_, first, second)
    assert pandalm_prompt(asked) == as_pandalm_writes(asked)
    # A run that froze the texts asks as one that froze none.
    assert template_of("pandalm@1", Texts.of(PANDALM_TEXTS.as_dict())).prompt(asked) == as_pandalm_writes(asked)
