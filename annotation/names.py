"""User names in a text, written as @name."""

import re
from collections.abc import Iterator, Set

# What user names are made of, and as long as one can be, behind an @ that stands at the beginning of a word: an e-mail
# address mentions nobody.
_MENTION = re.compile(r"(?<![\w.+@/-])@([\w.+@-]{1,150})")
_ENDS_SENTENCES = ".+-@_"


def candidates(text: str) -> set[str]:
    """All that may be names of people in a text: with and without the marks that may end a sentence behind a name."""
    return {name for match in _MENTION.finditer(text) for name in _readings(match.group(1))}


def named_in(text: str, names: Set[str]) -> list[tuple[int, int, str]]:
    """Where one of these names is mentioned in a text: begin, end and name. The longest reading counts."""
    found = []
    for match in _MENTION.finditer(text):
        name = next((each for each in _readings(match.group(1)) if each in names), None)
        if name:
            found.append((match.start(), match.start() + 1 + len(name), name))
    return found


def _readings(written: str) -> Iterator[str]:
    yield written
    while written and written[-1] in _ENDS_SENTENCES:
        written = written[:-1]
        yield written
