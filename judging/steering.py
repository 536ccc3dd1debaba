"""What in a response could steer a judge that reads it, made harmless and named. Pure.

A response is material to judge. Where it writes the headings of the judge's own prompt, a chat server's control tokens
or the tags that it stands between, a judge could take its words for the prompt's. Such marks are broken so that people
still read them as they were, and every verdict on such a text says so.
"""

import re
from dataclasses import replace

from judging.prompts import Asked

HEADING = re.compile(
    r"^([ \t]*)(#{2,}[ \t]*(?:Instruction|Input|Response[ \t]*\d*|Evaluation|Reason|Reference)[ \t]*\d*[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
TAG = re.compile(r"<(?=/?(?:instruction|input|response_[12])\s*>)", re.IGNORECASE)
CONTROL = re.compile(
    r"(?:<(?=\|[\w ]{1,40}\|>)|<(?=/?s>)|<(?=<?/?SYS>>?)|<(?=(?:start|end)_of_turn>)|\[(?=/?INST\]))", re.IGNORECASE
)
# Between a mark's first letter and the rest: nobody sees it, and no tokenizer or parser takes the mark for one.
JOINER = "\u2060"
SHOWN = 40


def harmless(text: str) -> tuple[str, list[str]]:
    """The text with such marks broken, and which there were, as they were written."""
    found = [match.group(2) for match in HEADING.finditer(text)]
    text = HEADING.sub(r"\1\\\2", text)
    for pattern in (TAG, CONTROL):
        found += [text[match.start() :].split(">")[0].split("]")[0][:SHOWN] for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: match.group(0) + JOINER, text)
    return text, found


def made_harmless(asked: Asked) -> tuple[Asked, list[str]]:
    """Both responses of a question; the task itself is the researcher's own."""
    first, in_first = harmless(asked.first)
    second, in_second = harmless(asked.second)
    found = sorted({*in_first, *in_second})
    return (replace(asked, first=first, second=second), found) if found else (asked, [])
