"""Rows out of a file, one at a time, with where they stand: JSON Lines, a JSON array or CSV.

Memory stays flat whatever the file is: a row that is longer than ROW_LIMIT is reported and passed over unread.
"""

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import orjson

from annotation.importing.problems import Problems, UnreadableError

ROW_LIMIT = 16 * 1024**2
CHUNK = 256 * 1024
_TOO_LONG = f"This row is longer than {ROW_LIMIT // 1024**2} MiB. Is a line break missing? Shorten or remove it."
_NOT_AN_OBJECT = 'A row must be a JSON object such as {"instruction": …, "response1": …, "response2": …}.'
_BROKEN_UTF16 = (
    "The file is in UTF-16 (byte offset {offset}), not in UTF-8. "
    "Save it as UTF-8, for example with: iconv -f UTF-16 -t UTF-8"
)
# The csv module's own limit for one cell is for the whole process, and too small for a long response.
csv.field_size_limit(ROW_LIMIT)


@dataclass(frozen=True, slots=True)
class Row:
    """One object of the file. `line` is the physical line it begins on, or its place in a JSON array, from 1."""

    line: int
    values: dict[str, Any]


class RowReader:
    """Iterate to get rows; what cannot be read goes to `problems`. `offset` of `size` bytes have been read so far.

    `unit` says what Row.line counts: "line" or "element".
    """

    def __init__(self, file: IO[bytes], *, name: str, problems: Problems):
        self._file = file
        self._problems = problems
        self.size = file.seek(0, os.SEEK_END)
        self.start = _after_byte_order_mark(file)
        first = _first_byte(file, self.start)
        self.is_csv = first not in b"[{" or name.lower().endswith((".csv", ".csv.txt"))
        self.unit = "element" if first == b"[" and not self.is_csv else "line"

    @property
    def offset(self) -> int:
        return self._file.tell()

    def __iter__(self) -> Iterator[Row]:
        self._file.seek(self.start)
        read: Callable[[], Iterator[Row]] = self._lines
        if self.is_csv:
            read = self._cells
        elif self.unit == "element":
            read = self._elements
        try:
            yield from read()
        except UnreadableError as stop:
            self._problems.error(stop.line, "", stop.message, stop.value)

    def _lines(self) -> Iterator[Row]:
        for number, offset, line in self._limited_lines():
            if line is None:
                self._problems.error(number, "", _TOO_LONG)
            elif not line.isspace():
                values = self._parsed(line, number, offset)
                if values is not None:
                    yield Row(number, values)

    def _limited_lines(self) -> Iterator[tuple[int, int, bytes | None]]:
        """Number, byte offset and bytes of each line; None for the bytes of one that is too long."""
        number, offset = 0, self.start
        while line := self._file.readline(ROW_LIMIT + 1):
            number += 1
            if len(line) <= ROW_LIMIT:
                yield number, offset, line
                offset += len(line)
                continue
            while line and not line.endswith(b"\n"):
                line = self._file.readline(CHUNK)
            yield number, offset, None
            offset = self._file.tell()

    def _parsed(self, line: bytes, number: int, offset: int) -> dict[str, Any] | None:
        try:
            values = orjson.loads(line)
        except orjson.JSONDecodeError:
            values = self._parsed_with_care(line, number, offset)
            if values is None:
                return None
        if isinstance(values, dict):
            return values
        self._problems.error(number, "", _NOT_AN_OBJECT, values)
        return None

    def _parsed_with_care(self, line: bytes, number: int, offset: int) -> Any:
        """What orjson refused: told precisely, or read where only a text in it is at fault, which its field tells."""
        text = _decoded(line, number, offset)
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            self._problems.error(number, "", "This row is nested too deeply to be read. Flatten it.", text)
        except ValueError as error:
            self._problems.error(number, "", _broken(error, text), _around(error, text))
        return None

    def _elements(self) -> Iterator[Row]:
        """The objects of an array, decoded from a window that grows only while an element does not fit in it."""
        window = _Window(self._file, self.start)
        window.expect("[", 1)
        number = 0
        while True:
            number += 1
            sign = window.peek(number)
            if sign == "]" and number == 1:
                break
            values = window.element(number)
            if isinstance(values, dict):
                yield Row(number, values)
            else:
                self._problems.error(number, "", _NOT_AN_OBJECT, values)
            sign = window.peek(number)
            if sign == "]":
                break
            window.expect(",", number)
        window.expect("]", number)
        if window.peek_or_end():
            raise UnreadableError(number, "There is more after the end of the array. Remove it, or join both arrays.")

    def _cells(self) -> Iterator[Row]:
        lines = self._decoded_lines()
        reader = csv.reader(lines, strict=True)
        try:
            names = next(reader, None)
            if names is None:
                return
            _check_header(names)
            begins = reader.line_num + 1
            for cells in reader:
                if len(cells) == len(names):
                    yield Row(begins, dict(zip(names, cells, strict=True)))
                elif cells:
                    message = f"This row has {len(cells)} cells, but the header names {len(names)}. Quote its texts."
                    self._problems.error(begins, "", message, ",".join(cells)[:1_000])
                begins = reader.line_num + 1
        except csv.Error as error:
            message = f"Broken CSV: {error}. Is a quotation mark missing, here or above?"
            raise UnreadableError(reader.line_num, message) from error

    def _decoded_lines(self) -> Iterator[str]:
        for number, offset, line in self._limited_lines():
            if line is None:
                raise UnreadableError(number, _TOO_LONG)
            yield _decoded(line, number, offset)


class _Window:
    """The part of a JSON array that is being looked at."""

    def __init__(self, file: IO[bytes], start: int):
        self._file = file
        self._read = start
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)
        self._text = ""
        self._at = 0
        self._broken_from_here = ""

    def peek_or_end(self, number: int | None = None) -> str:
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow(CHUNK, number):
                return ""

    def peek(self, number: int) -> str:
        if sign := self.peek_or_end(number):
            return sign
        message = "The file ends in the middle of its array: it was cut off. Copy or export it again."
        raise UnreadableError(number, message)

    def expect(self, sign: str, number: int) -> None:
        found = self.peek(number)
        if found != sign:
            message = f"Broken JSON: {sign} should stand before this. Mend it, or write one object a line."
            raise UnreadableError(number, message, self._text[self._at : self._at + 80])
        self._at += 1

    def element(self, number: int) -> Any:
        wanted = CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise UnreadableError(number, "This element is nested too deeply to be read. Flatten it.") from error
            except ValueError as error:
                if len(self._text) - self._at > ROW_LIMIT:
                    raise UnreadableError(number, self._why(error)) from error
                if not self._grow(wanted, number):
                    raise UnreadableError(number, _broken(error, self._text), _around(error, self._text)) from error
                wanted *= 2
                continue
            # A number at the end of the window may go on after it; an object, a string or a word may not.
            if end == len(self._text) and not isinstance(value, dict) and self._grow(CHUNK, number):
                continue
            if end - self._at > ROW_LIMIT:
                raise UnreadableError(number, _TOO_LONG)
            self._at = end
            return value

    def _why(self, error: ValueError) -> str:
        position = getattr(error, "pos", self._at)
        near_the_end = position > len(self._text) - 100 or "Unterminated string" in str(error)
        return _TOO_LONG if near_the_end else _broken(error, self._text)

    def _grow(self, wanted: int, number: int | None) -> bool:
        """Read on, forgetting what is behind. False at the end of the file."""
        if self._broken_from_here:
            raise UnreadableError(number, self._broken_from_here)
        data = self._file.read(wanted)
        try:
            more = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            # What stands before it is read first, so that the element that holds it can be named.
            pending = len(error.object) - len(data)
            self._broken_from_here = _not_utf8(error, self._read - pending)
            more = error.object[: error.start].decode()
            data = data or b"cut off"
        self._read += len(data)
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(data)


_SPACE = re.compile(r"[ \t\r\n]*")


def _after_byte_order_mark(file: IO[bytes]) -> int:
    file.seek(0)
    head = file.read(4)
    if head.startswith(codecs.BOM_UTF8):
        return len(codecs.BOM_UTF8)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (len(head) > 1 and 0 in head[:2]):
        raise UnreadableError(None, _BROKEN_UTF16.format(offset=0))
    return 0


def _first_byte(file: IO[bytes], start: int) -> bytes:
    file.seek(start)
    while chunk := file.read(CHUNK):
        if stripped := chunk.lstrip():
            return stripped[:1]
    raise UnreadableError(None, "The file is empty. Choose one with at least one pair in it.")


def _check_header(names: list[str]) -> None:
    if len(names) < 2:
        message = "This is neither JSON (it would begin with { or [) nor CSV with a header line that names its columns."
        raise UnreadableError(1, message, ",".join(names))
    for name in names:
        if names.count(name) > 1:
            raise UnreadableError(1, f"Two columns are called {name!r}. Give each a name of its own.", name)


def _decoded(line: bytes, number: int, offset: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(number, _not_utf8(error, offset), line[: error.start].decode()[-80:]) from error


def _not_utf8(error: UnicodeDecodeError, offset: int) -> str:
    byte = error.object[error.start]
    return (
        f"The file is not in UTF-8: byte 0x{byte:02X} at byte offset {offset + error.start} is none. It may be in "
        "Latin-1 or Windows-1252. Save it as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8"
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON. Write null where a number is not known")


def _broken(error: ValueError, text: str) -> str:
    what = getattr(error, "msg", str(error))
    if getattr(error, "pos", 0) >= len(text.rstrip()) or "Unterminated" in what:
        return f"Broken JSON: {what}. The row seems to be cut off. Copy or export the file again."
    return f"Broken JSON: {what}. Mend this row."


def _around(error: ValueError, text: str) -> str:
    position = getattr(error, "pos", 0)
    return text[max(0, position - 40) : position + 40]


def open_rows(path: str, *, name: str, problems: Problems) -> tuple[io.BufferedReader, RowReader]:
    """The open file and its rows. Raises UnreadableError for an empty file or another encoding's byte order mark."""
    file = open(path, "rb", buffering=CHUNK)  # noqa: SIM115 - the caller closes it
    try:
        return file, RowReader(file, name=name, problems=problems)
    except BaseException:
        file.close()
        raise
