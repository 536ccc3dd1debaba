"""Values out of one row, each checked, each problem told with its line and field."""

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from annotation.importing.problems import Problems

CHOICES = {"1": 1, "2": 2, "0": 0, "tie": 0}
ID_CHARACTERS = 200
GENERATOR_CHARACTERS = 200
_USERNAME = re.compile(r"[\w.@+-]{1,150}\Z")
_MISSING = object()


class Fields:
    """One object of a row. What is taken is removed, so that `rest` is what the format gives no meaning."""

    def __init__(self, values: dict[str, Any], *, line: int, problems: Problems, path: str = ""):
        self._values = dict(values)
        self.line = line
        self.problems = problems
        self.path = path

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def keys(self) -> Iterable[str]:
        return list(self._values)

    def error(self, name: str, message: str, value: object = "") -> None:
        self.problems.error(self.line, self.path + name, message, value)

    def take(self, name: str, default: Any = None) -> Any:
        return self._values.pop(name, default)

    def text(self, name: str, *, required: bool = False) -> str:
        """A text as it stands. What is no string is kept as its JSON text, with a warning; null is no text at all."""
        value = self._values.pop(name, _MISSING)
        if value is None or value is _MISSING:
            if required:
                what = "is missing" if value is _MISSING else "is null"
                self.error(name, f'{name} {what}. Every row needs it; an empty text is written "".')
            return ""
        if not isinstance(value, str):
            kept = json.dumps(value, ensure_ascii=False)
            self.problems.warning(
                self.line, self.path + name, f"Not a string: kept as its JSON text, {kept[:60]}.", value
            )
            value = kept
        return self._storable(name, value)

    def texts(self, name: str) -> list[str] | None:
        """A list of texts, or None where there is none."""
        value = self._values.pop(name, None)
        if value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            return value and [self._storable(name, each) for each in value]
        self.error(name, f"{name} must be a list of texts.", value)
        return None

    def name(self, name: str, *, limit: int = GENERATOR_CHARACTERS) -> str:
        """A short text that names something; "" where there is none."""
        value = self._values.pop(name, None)
        if value is None:
            return ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self.error(name, f"{name} must be a text.", value)
            return ""
        if len(value) > limit:
            self.error(name, f"{name} is longer than {limit} characters. Shorten it.", value)
            return ""
        return self._storable(name, value)

    def id(self, name: str, *, required: bool = False) -> str:
        value = self._values.get(name)
        if isinstance(value, float):
            self.error(name, f"{name} must be a text or a whole number.", value)
            return ""
        found = self.name(name, limit=ID_CHARACTERS)
        if required and not found:
            self.error(name, f"{name} is missing: it says which pair of the dataset is meant.", value)
        return found

    def choice(self, name: str, *, required: bool = True) -> int | None:
        """1, 2, or 0 for a tie. None, with an error, for what is none of them; also where nothing stands."""
        value = self._values.pop(name, None)
        if value is None or value == "":
            if required:
                self.error(name, f'{name} is missing. Write 1, 2 or "tie".')
            return None
        found = as_choice(value)
        if found is None:
            self.error(name, f'{name} must be 1, 2 or "tie" (0 is read as tie).', value)
        return found

    def number(self, name: str, *, whole: bool = False) -> Any:
        """A number of at least 0, or None where there is none."""
        value = self._values.pop(name, None)
        if value is None or value == "":
            return None
        fits = isinstance(value, int) and not isinstance(value, bool)
        fits = fits or (isinstance(value, float) and not whole and math.isfinite(value))
        limit = 2**31 - 1 if whole else 1e15
        if not fits or not 0 <= value <= limit:
            kind = "a whole number" if whole else "a number"
            self.error(name, f"{name} must be {kind} from 0 to {limit:.0f}, or null where it is not known.", value)
            return None
        return value

    def flag(self, name: str) -> bool | None:
        value = self._values.pop(name, None)
        if value is None or isinstance(value, bool):
            return value
        self.error(name, f"{name} must be true, false or null.", value)
        return None

    def moment(self, name: str) -> datetime | None:
        """An ISO 8601 date and time, or None where there is none. Without an offset it is in UTC."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None:
            self.error(name, f"{name} must be a date and time such as 2026-11-01T09:00:00Z.", value)
        elif timezone.is_naive(moment):
            moment = moment.replace(tzinfo=timezone.get_default_timezone())
        return moment

    def username(self, name: str, value: Any) -> str:
        if isinstance(value, str) and _USERNAME.match(value):
            return value
        self.error(name, "An annotator's name has 1 to 150 letters, digits and @ . + - _ only.", value)
        return ""

    def inside(self, name: str) -> "Fields":
        """The object that stands there, taken; an empty one, with an error, if there is none."""
        value = self._values.pop(name, None)
        if not isinstance(value, dict):
            self.error(name, f"{name} must be an object.", value)
            value = {}
        return self.of(name, value)

    def of(self, name: str, values: dict[str, Any]) -> "Fields":
        return Fields(values, line=self.line, problems=self.problems, path=f"{self.path}{name}.")

    def metadata(self) -> dict[str, Any]:
        """The rest, with what `metadata` holds (an object, or one as JSON text) beside it."""
        packed = self._values.get("metadata")
        if isinstance(packed, str):
            try:
                packed = json.loads(packed) if packed else {}
            except (ValueError, RecursionError):
                packed = None
        if not isinstance(packed, dict):
            return self.rest()
        del self._values["metadata"]
        return self.rest() | self.of("metadata", packed).rest()

    def rest(self) -> dict[str, Any]:
        """What was not taken: kept as metadata. Must be storable as JSON in PostgreSQL."""
        if not self._values:
            return {}
        try:
            data = orjson.dumps(self._values)
        except (TypeError, orjson.JSONEncodeError) as error:
            self.error(
                ", ".join(map(repr, self._values)), f"These extra keys cannot be stored: {error}. Mend or drop them."
            )
            return {}
        if b"\\u0000" in data:
            for name, value in self._values.items():
                if _holds_nul({name: value}):
                    message = "It holds a NUL character (\\u0000), which cannot be stored. Remove it."
                    self.error(name, message, value)
        return self._values

    def _storable(self, name: str, value: str) -> str:
        if "\0" in value:
            at = value.index("\0") + 1
            message = (
                f"{name} holds a NUL character (\\u0000) as its character {at}, which cannot be stored. Remove it."
            )
            self.error(name, message, value)
            return ""
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = (
                f"{name} holds half of a character (a lone surrogate, \\u{ord(value[error.start]):04x}) as its "
                f"character {error.start + 1}. Replace or remove it."
            )
            self.error(name, message, value)
            return ""
        return value


def as_choice(value: Any) -> int | None:
    """A boolean is no choice, although Python takes True for 1."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value in (0, 1, 2) else None
    return CHOICES.get(value.strip().lower()) if isinstance(value, str) else None


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for item in value.items() for part in item)
    return isinstance(value, list) and any(map(_holds_nul, value))
