"""From what a judge wrote to a choice, a reason and a reference, or to the word that it is none.

Pure: no Django, no models. Choices here are in the order that the judge was shown: 1 is the first response.
"""

import json
import re
from dataclasses import dataclass

TIE = 0
WORDS = {"1": 1, "2": 2, "tie": TIE}

# How chat models begin when they decline. It is asked only of text that holds no choice, so it never takes one away.
REFUSAL = re.compile(
    r"\s*(?:i['\u2019]m sorry|i am sorry|sorry,|i apologi[sz]e|i can(?:no|['\u2019])t|i can not|i['\u2019]m unable"
    r"|i am unable|i['\u2019]m not able|i won['\u2019]t|as an ai\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parsed:
    """choice: 0 (tie), 1 or 2, None if the text gives none. span: where the choice's word stands in the text."""

    choice: int | None
    reason: str = ""
    reference: str = ""
    refused: bool = False
    span: tuple[int, int] | None = None


def _nothing(text: str) -> Parsed:
    return Parsed(None, refused=REFUSAL.match(text) is not None)


def parse_pandalm(text: str) -> Parsed:
    """PandaLM's answer: the first line is 1, 2 or Tie; then "### Reason:" and "### Reference:".

    The first line must be one of the three words and nothing else, as in PandaLM's own reader. Theirs makes a tie of
    all the rest; here it is no choice.
    """
    start = len(text) - len(text.lstrip())
    word = text[start:].split("\n", 1)[0].rstrip()
    choice = WORDS.get(word.lower())
    if choice is None:
        return _nothing(text)
    rest = text[start + len(word) :]
    before, marked, reference = rest.partition("### Reference:")
    _, _, reason = before.partition("### Reason:")
    return Parsed(choice, reason.strip(), reference.strip() if marked else "", span=(start, start + len(word)))


def parse_json(text: str) -> Parsed:
    """An answer as a JSON object with "choice" ("1", "2" or "tie"), and perhaps "reason" and "reference".

    Words around the object and a code fence are let pass. Two objects that choose differently are no choice, and
    neither is an object that was cut off.
    """
    found = [(start, answer) for start, answer in _objects(text) if "choice" in answer]
    choices = {_choice_of(answer["choice"]) for _, answer in found}
    if len(choices) != 1 or None in choices:
        return _nothing(text)
    start, answer = found[0]
    return Parsed(
        choices.pop(),
        _text_of(answer.get("reason")),
        _text_of(answer.get("reference")),
        span=_span_of_choice(text, start),
    )


def _objects(text: str) -> list[tuple[int, dict]]:
    """The JSON objects in a text, each with where it begins. What is inside another one is not listed."""
    decoder = json.JSONDecoder()
    found, at = [], text.find("{")
    while at != -1:
        try:
            answer, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            end = at + 1
        else:
            found.append((at, answer))
        at = text.find("{", end)
    return found


def _choice_of(value: object) -> int | None:
    """True equals 1 in Python, and is no choice."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return WORDS.get(str(value).strip().lower())


def _text_of(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _span_of_choice(text: str, start: int) -> tuple[int, int] | None:
    match = re.compile(r'"choice"\s*:\s*"?\s*(1|2|tie)', re.IGNORECASE).search(text, start)
    return match.span(1) if match else None
