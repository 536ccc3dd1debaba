"""What is wrong with a file: the first thousand problems in full, all of them counted."""

import json
from dataclasses import dataclass, field

from jobs.errors import PermanentError

KEPT = 1_000
SHOWN_CHARACTERS = 200
FIELD_CHARACTERS = 100


class RejectedError(PermanentError):
    """The file has errors, and nothing of it was imported."""


class UnreadableError(Exception):
    """The file cannot be read beyond this point."""

    def __init__(self, line: int | None, message: str, value: object = ""):
        super().__init__(message)
        self.line = line
        self.message = message
        self.value = value


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1 (elements, in a JSON array) and is None where the whole file is meant."""

    line: int | None
    field: str
    message: str
    value: str
    is_error: bool


@dataclass(slots=True)
class Problems:
    """Errors keep a file out, warnings do not. Both lists end at KEPT; the counts go on."""

    errors: int = 0
    warnings: int = 0
    kept_errors: list[Problem] = field(default_factory=list)
    kept_warnings: list[Problem] = field(default_factory=list)

    def error(self, line: int | None, where: str, message: str, value: object = "") -> None:
        self.errors += 1
        if len(self.kept_errors) < KEPT:
            self.kept_errors.append(Problem(line, where[:FIELD_CHARACTERS], message, beginning(value), True))

    def warning(self, line: int | None, where: str, message: str, value: object = "") -> None:
        self.warnings += 1
        if len(self.kept_warnings) < KEPT:
            self.kept_warnings.append(Problem(line, where[:FIELD_CHARACTERS], message, beginning(value), False))

    @property
    def kept(self) -> list[Problem]:
        """Errors come before warnings where both don't fit."""
        return (self.kept_errors + self.kept_warnings)[:KEPT]

    @property
    def left_out(self) -> int:
        return self.errors + self.warnings - len(self.kept)


def beginning(value: object) -> str:
    """The beginning of a value as text that PostgreSQL can store."""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if len(value) > SHOWN_CHARACTERS:
        value = value[:SHOWN_CHARACTERS] + "…"
    return value.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
