"""What an OpenAI-compatible server answered, read from whatever it really sent. Pure.

The openai package builds its objects from any JSON without a look at it, so nothing in them is sure to be there or to
be of its kind. What the verdict rests on (the text) must be right; what only goes with it (token counts,
probabilities) is left out where it is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a column of the database takes.
MOST_TOKENS = 2**31 - 1
# The logarithm of a probability is never above zero; servers round.
HIGHEST_LOGARITHM = 0.01

Tokens = list[tuple[str, Mapping[str, float]]]


class NoCompletionError(ValueError):
    """HTTP 200 came, but what it held is no completion."""


@dataclass(frozen=True)
class Said:
    """What a server answered, chat or completion alike.

    model: what the server calls itself. tokens: each with its alternatives' natural logarithms.
    """

    text: str
    refusal: str
    finish: str
    model: str
    tokens: Tokens
    prompt_tokens: int | None
    answer_tokens: int | None


def read_chat(answer: Any) -> Said:
    """Raises NoCompletionError."""
    first = _first_choice(answer)
    message = getattr(first, "message", None)
    if not hasattr(message, "content"):
        raise NoCompletionError("it has no choices with a message")
    content = getattr(getattr(first, "logprobs", None), "content", None)
    return Said(
        text=_text(message.content),
        refusal=_text(getattr(message, "refusal", None)),
        finish=str(getattr(first, "finish_reason", None) or ""),
        model=_model(answer),
        tokens=_known([(getattr(one, "token", None), _alternatives(one)) for one in _list(content)]),
        **_usage(answer),
    )


def read_completion(answer: Any) -> Said:
    """Raises NoCompletionError."""
    first = _first_choice(answer)
    if getattr(first, "text", None) is None:
        raise NoCompletionError("it has no choices with a text")
    logprobs = getattr(first, "logprobs", None)
    tokens, others = _list(getattr(logprobs, "tokens", None)), _list(getattr(logprobs, "top_logprobs", None))
    return Said(
        text=_text(first.text),
        refusal="",
        finish=str(getattr(first, "finish_reason", None) or ""),
        model=_model(answer),
        tokens=_known(
            [(token, other if isinstance(other, dict) else {}) for token, other in zip(tokens, others, strict=False)]
        ),
        **_usage(answer),
    )


def _first_choice(answer: Any) -> Any:
    choices = _list(getattr(answer, "choices", None))
    if not choices:
        raise NoCompletionError("it has no choices")
    return choices[0]


def _model(answer: Any) -> str:
    name = getattr(answer, "model", None)
    return name if isinstance(name, str) else ""


def _list(value: object) -> list:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise NoCompletionError(f"its text is {type(value).__name__}")


def _alternatives(one: Any) -> dict[Any, Any]:
    """Of one token of a chat answer."""
    named = [
        (getattr(other, "token", None), getattr(other, "logprob", None))
        for other in _list(getattr(one, "top_logprobs", None))
    ]
    return {token: logarithm for token, logarithm in named if isinstance(token, str)}


def _known(tokens: list[tuple[Any, dict[Any, Any]]]) -> Tokens:
    """Nothing at all unless each token is a text, because places in the answer are counted over all of them."""
    if not all(isinstance(token, str) for token, _ in tokens):
        return []
    return [(token, {text: p for text, p in others.items() if _is_logarithm(p)}) for token, others in tokens]


def _is_logarithm(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= HIGHEST_LOGARITHM


def _usage(answer: Any) -> dict[str, int | None]:
    usage = getattr(answer, "usage", None)
    return {
        "prompt_tokens": _count(getattr(usage, "prompt_tokens", None)),
        "answer_tokens": _count(getattr(usage, "completion_tokens", None)),
    }


def _count(value: object) -> int | None:
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if counted else None  # type: ignore[return-value]
