"""PandaLM's format to the letter: a checkpoint that learnt it must see it."""

import hashlib
import json

import pytest

from judging.prompts.built_in import Asked, UnknownTemplateError, pandalm_prompt, pandalm_target, template_named


def test_pandalm_prompt_without_input():
    asked = Asked("Name a colour.", "", " Red.\n", "<s>Blue</s>[PAD]")
    assert pandalm_prompt(asked) == (
        "Below are two responses for a given task. The task is defined by the Instruction. Evaluate the responses and "
        "generate a reference answer for the task.\n\n"
        "### Instruction:\nName a colour.\n\n"
        "### Response 1:\nRed.\n\n### Response 2:\nBlue\n\n"
        "### Evaluation:\n"
    )


def test_pandalm_prompt_with_input():
    asked = Asked("Correct it.", "I is here", "I am here", "")
    assert pandalm_prompt(asked) == (
        "Below are two responses for a given task. The task is defined by the Instruction with an Input that provides "
        "further context. Evaluate the responses and generate a reference answer for the task.\n\n"
        "### Instruction:\nCorrect it.\n\n### Input:\nI is here\n\n"
        "### Response 1:\nI am here\n\n### Response 2:\n\n\n"
        "### Evaluation:\n"
    )


def test_pandalm_target():
    assert pandalm_target(choice=0, reason="Same.", reference="Red.") == (
        "Tie\n\n### Reason: Same.\n\n### Reference: Red.\n"
    )


def test_swapping_the_responses_changes_nothing_else():
    one = pandalm_prompt(Asked("Do it.", "x", "AAA", "BBB"))
    other = pandalm_prompt(Asked("Do it.", "x", "BBB", "AAA"))
    assert one.replace("AAA", "?").replace("BBB", "AAA").replace("?", "BBB") == other


def test_json_template_asks_for_reasons_only_where_they_are_wanted():
    template = template_named("json@1")
    asked = Asked("Do it.", "", "AAA", "BBB")
    assert set(template.schema(False)["properties"]) == {"choice"}
    assert set(template.schema(True)["required"]) == {"choice", "reason", "reference"}
    short, long = (template.chat(asked, reasons)[0]["content"] for reasons in (False, True))
    assert "reason" not in short.split("nothing else:")[1]
    assert "reference" in long.split("nothing else:")[1]


def test_json_template_says_what_it_said_when_it_was_made():
    """To the letter: judges are named by it, and what servers were paid for is found by the whole request."""
    template = template_named("json@1")
    asked = (Asked("Do it.", "", "AAA", "BBB"), Asked("Do it.\n", "ctx {x}", "A{instruction}", "<b>"))
    said = [template.chat(each, reasons) for each in asked for reasons in (False, True)]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    assert digest == "664a0232ad2bd505ada1abd9442a55378d31dd24aa6b7334a08162aac50c2c83"


@pytest.mark.parametrize("name", ["criteria@1", "criteria-reference@1"])
def test_criteria_are_those_of_the_paper_and_all_is_shown(name):
    asked = Asked("Do it.", "with this", "AAA", "BBB", "RRR")
    system, user = (message["content"] for message in template_named(name).chat(asked, True))
    for criterion in ("Correctness", "Conciseness", "Clarity", "Comprehensiveness", "Formality", "Adherence"):
        assert f"- {criterion}: " in system
    assert all(f">\n{text}\n<" in user for text in ("Do it.", "with this", "AAA", "BBB"))
    assert ("RRR" in user) == (name == "criteria-reference@1")


def test_an_unknown_template_is_named_with_those_there_are():
    with pytest.raises(UnknownTemplateError, match="pandalm@1, json@1"):
        template_named("pandalm@2")
