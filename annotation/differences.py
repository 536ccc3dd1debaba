"""What two responses do not have in common, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

# A word with the space behind it: fewer pieces, and marks don't begin with blanks.
_WORDS = re.compile(r"\S+\s*|\s+")
# Beyond this many words the comparison is line by line: words would take seconds.
_MOST_WORDS = 3000
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
# Common words alone between two changes are chance, not agreement: this few letters are taken as changed too.
_CHANCE = 4


@dataclass(frozen=True)
class Piece:
    text: str
    only_here: bool


def differences(first: str, second: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, each common or only here. The pieces of a text joined are the text."""
    pattern = _WORDS if max(len(first), len(second)) < _MOST_WORDS * 6 else _LINES
    a, b = pattern.findall(first), pattern.findall(second)
    matcher = SequenceMatcher(None, [word.strip() for word in a], [word.strip() for word in b], autojunk=False)
    ones: list[Piece] = []
    twos: list[Piece] = []
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        one, two = "".join(a[a_from:a_to]), "".join(b[b_from:b_to])
        inside = a_from > 0 and a_to < len(a) and b_from > 0 and b_to < len(b)
        only_here = tag != "equal" or (inside and len(one.strip()) < _CHANCE)
        _add(ones, one, only_here)
        _add(twos, two, only_here)
    return ones, twos


def _add(pieces: list[Piece], text: str, only_here: bool) -> None:
    if not text:
        return
    if pieces and pieces[-1].only_here == only_here:
        pieces[-1] = Piece(pieces[-1].text + text, only_here)
    else:
        pieces.append(Piece(text, only_here))
