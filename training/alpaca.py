"""How a candidate is asked: the prompt of Stanford Alpaca (Apache-2.0), to the letter, as in PandaLM's search."""

_TASK = "Below is an instruction that describes a task"
_PAIRED = ", paired with an input that provides further context"
_WRITE = ". Write a response that appropriately completes the request.\n\n"


def alpaca_prompt(*, instruction: str, input: str) -> str:  # noqa: A002 - the field's own name
    """Ends where the response begins."""
    given = f"### Input:\n{input}\n\n" if input else ""
    return f"{_TASK}{_PAIRED if input else ''}{_WRITE}### Instruction:\n{instruction}\n\n{given}### Response:"
