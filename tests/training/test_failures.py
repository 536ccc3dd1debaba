"""What is made of how a run failed."""

import pytest

from training.failures import why


@pytest.mark.parametrize(
    "text",
    [
        "The tokenizer of owner/nmae cannot be read: We couldn't connect to 'https://huggingface.co' to load the "
        "files, and couldn't find them in the cached files.\nCheck your internet connection or see how to run offline.",
        "The tokenizer of owner/nmae cannot be read: Cannot find the requested files in the disk cache and outgoing "
        "traffic has been disabled.",
    ],
)
def test_a_hub_id_that_workers_do_not_have_is_not_laid_to_the_network(text):
    found = why(told={"type": "PermanentError", "text": text}, log="", exit_code=1)
    assert (found.kind, found.permanent) == ("model", True)
    assert "The tokenizer of owner/nmae cannot be read" in found.advice
    assert "Workers are offline unless HF_HUB_OFFLINE=0 is set" in found.advice
    assert "internet connection" not in found.advice


def test_other_words_of_a_model_are_passed_on():
    found = why(told={"type": "PermanentError", "text": "There are no weights."}, log="", exit_code=1)
    assert (found.kind, found.advice) == ("model", "There are no weights.")
