"""Texts with placeholders: read once, filled in one pass, so that nothing in what is filled in is read again. Pure.

`{instruction}` stands for a text, `{if input} ... {end}` for a part that is left out where the input is empty, `{{` and
`}}` for braces. There is nothing else, and every other brace is an error.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NAMES = ("instruction", "input", "response_1", "response_2", "reference")
SECTION, END = "{if input}", "{end}"
_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_DOUBLED = "Write {{ and }} for braces of the text's own."
_SHOWN = 30


class BadTextError(ValueError):
    """The text cannot be read; the words say where and what to do."""


@dataclass(frozen=True)
class Piece:
    """A fixed text, or the name of what stands there. optional: left out where the input is empty."""

    text: str = ""
    name: str = ""
    optional: bool = False


def read(text: str) -> tuple[Piece, ...]:
    """Raises BadTextError."""
    pieces: list[Piece] = []
    opened_at = None
    at = 0
    for match in _TOKEN.finditer(text):
        pieces.append(Piece(text[at : match.start()], optional=opened_at is not None))
        token, at, line = match.group(), match.end(), text.count("\n", 0, match.start()) + 1
        if token in ("{{", "}}"):
            pieces.append(Piece(token[0], optional=opened_at is not None))
        elif token == SECTION:
            if opened_at is not None:
                raise BadTextError(f"Line {line}: {SECTION} stands inside another. End the one of line {opened_at}.")
            opened_at = line
        elif token == END:
            if opened_at is None:
                raise BadTextError(f"Line {line}: {END} ends nothing. Write {SECTION} where the part begins.")
            opened_at = None
        else:
            pieces.append(Piece(name=_name(token, line), optional=opened_at is not None))
    if opened_at is not None:
        raise BadTextError(f"Line {opened_at}: {SECTION} has no {END}. Write {END} where the part is over.")
    pieces.append(Piece(text[at:]))
    return _joined(pieces)


def fill(pieces: Iterable[Piece], values: Mapping[str, str]) -> str:
    """values: a text for each of NAMES."""
    given = bool(values["input"])
    return "".join(values[piece.name] if piece.name else piece.text for piece in pieces if given or not piece.optional)


def names_in(pieces: Iterable[Piece]) -> set[str]:
    return {piece.name for piece in pieces if piece.name}


def _name(token: str, line: int) -> str:
    if token in ("{", "}"):
        raise BadTextError(f"Line {line}: a single '{token}'. {_DOUBLED}")
    name = token[1:-1]
    if name not in NAMES:
        shown = " ".join(name.split())
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        known = ", ".join(f"{{{known}}}" for known in NAMES)
        raise BadTextError(
            f"Line {line}: '{{{shown}}}' is no placeholder. There are {known}, and {SECTION} … {END}. {_DOUBLED}"
        )
    return name


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Fixed texts that follow each other as one, empty ones left out."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and not last.name and not piece.name and last.optional == piece.optional:
            joined[-1] = Piece(last.text + piece.text, optional=piece.optional)
        elif piece.name or piece.text:
            joined.append(piece)
    return tuple(joined)
