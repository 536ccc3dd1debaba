"""PandaLM's format to the letter: a checkpoint that learnt it must see it."""

import pytest

from judging.prompts import Asked, UnknownTemplateError, pandalm_prompt, pandalm_target, template_named


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


def test_an_unknown_template_is_named_with_those_there_are():
    with pytest.raises(UnknownTemplateError, match="pandalm@1, json@1"):
        template_named("pandalm@2")
