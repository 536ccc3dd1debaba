"""What in a response could steer a judge that reads it, made harmless and named. Pure.

A response is material to judge. Where it writes the headings of the judge's own prompt, a chat server's control tokens
or the tags that it stands between, a judge could take its words for the prompt's. Such marks are broken so that people
still read them as they were, and every verdict on such a text says so.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from judging.prompts.asking import Asked
from judging.prompts.placeholders import Piece

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


# In a template's fixed text: where a text is filled in, and what is a mark wherever it stands.
HOLE = "\0"
TAGS = re.compile(r"</?[^<>/\n]*[^<>/\s]>|\[[^\[\]\n]{2,}\]")


def harmless(text: str, marks: re.Pattern[str] | None = None) -> tuple[str, list[str]]:
    """The text with such marks broken, and which there were, as they were written. marks: those of one template."""
    found = [match.group(2) for match in HEADING.finditer(text)]
    text = HEADING.sub(r"\1\\\2", text)
    for pattern in (TAG, CONTROL):
        found += [text[match.start() :].split(">")[0].split("]")[0][:SHOWN] for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: match.group(0) + JOINER, text)
    if marks:
        found += [match.group().strip()[:SHOWN] for match in marks.finditer(text)]
        text = marks.sub(_broken, text)
    return text, found


def made_harmless(asked: Asked, marks: re.Pattern[str] | None = None) -> tuple[Asked, list[str]]:
    """Both responses of a question; the task itself is the researcher's own."""
    first, in_first = harmless(asked.first, marks)
    second, in_second = harmless(asked.second, marks)
    found = sorted({*in_first, *in_second})
    return (replace(asked, first=first, second=second), found) if found else (asked, [])


def marks_of(pieces: Iterable[Piece]) -> re.Pattern[str] | None:
    """What a response must not write where a template says this: tags and brackets, and what stands beside a text.

    Beside it stand the words of its own line, if they look like a heading, and the nearest lines above and below; the
    last line asks for the answer, so it is one as well. None if a template has nothing of the kind.
    """
    whole = "".join(HOLE if piece.name else piece.text for piece in pieces)
    lines = [line.strip() for line in whole.split("\n") if line.strip()]
    starts = {line for line in (*_beside(lines), *lines[-1:]) if HOLE not in line and len(line) > 1}
    inside: set[str] = set()
    for line in lines:
        first, *others = (part.strip() for part in line.split(HOLE))
        if others and _is_heading(first):
            starts.add(first)
        inside.update(part for part in others if _is_heading(part))
    ways = [rf"^[ \t]*{_flexible(mark)}" for mark in starts] + [_flexible(mark) for mark in inside]
    ways += [_tag(mark) for mark in TAGS.findall(whole.replace(HOLE, "\n"))]
    return re.compile("|".join(sorted(set(ways), key=lambda way: (-len(way), way))), re.I | re.M) if ways else None


def _beside(lines: list[str]) -> Iterable[str]:
    for number, line in enumerate(lines):
        if HOLE in line:
            yield from lines[max(0, number - 1) : number + 2]


def _is_heading(words: str) -> bool:
    """Not a word or a stop between two texts: those stand in any response."""
    return len(words) > 1 and (not words[0].isalnum() or not (words[-1].isalnum() or words[-1] in ".,;!?"))


def _flexible(mark: str) -> str:
    """The mark however its blanks are written. What ends in a word must end the line, or it is another word's part."""
    words = r"[ \t]+".join(map(re.escape, mark.split()))
    return words + (r"[ \t\r]*$" if mark[-1].isalnum() else "")


def _tag(mark: str) -> str:
    """A tag however it is opened or closed; a bracket as it is."""
    if mark[0] == "[":
        return _flexible(mark)
    name = r"[ \t]+".join(map(re.escape, mark.strip("</>").split()))
    return rf"</?[ \t]*{name}[ \t]*>"


def _broken(match: re.Match[str]) -> str:
    blanks = len(match.group()) - len(match.group().lstrip())
    return match.group()[: blanks + 1] + JOINER + match.group()[blanks + 1 :]
