"""CSV: a row a pair with a column for each annotator and judge, or a row a label."""

import re
from collections.abc import Iterable, Iterator

import orjson

from annotation.exporting.reading import PAIR_KEYS, Told, rows
from annotation.exporting.work import Work
from annotation.importing.tiebreak import LABEL_COLUMN, SWAPPED_COLUMN, VERDICT_COLUMN
from annotation.verdict_store import verdict_store

BYTE_ORDER_MARK = "\ufeff"
# What a spreadsheet would take for a formula, or for the white space before one; full width too.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_OF_PAIR = ("id", "source", "model1", "model2")
_OF_LABEL = (
    "annotator", "choice", "swapped", "confidence", "flag", "rationale", "seconds", "guideline", "at", "changed_at",
    "revealed_at", "audited_at",
)  # fmt: skip
_AGAIN = ("reconsidered", "reconsidered_rationale", "reconsidered_at")
_ASPECTS = """
SELECT DISTINCT jsonb_object_keys(label.aspects) AS aspect
  FROM annotation_label label JOIN annotation_pair pair ON pair.id = label.pair_id
 WHERE pair.dataset_id = %s AND label.aspects <> '{}' ORDER BY aspect
"""


def pairs(work: Work) -> Iterator[bytes]:
    annotators = work.annotators()
    judges = verdict_store().columns_of(dataset=work.dataset)
    with_gold = bool(work.options.policy)
    table = Table(safe=work.options.spreadsheet)
    header = [
        *PAIR_KEYS,
        *["gold"] * with_gold,
        *(LABEL_COLUMN + name for name in annotators),
        *(VERDICT_COLUMN + judge + SWAPPED_COLUMN * swapped for judge, swapped in judges),
        "metadata",
    ]
    yield table.header(header)
    for pair in work.pairs():
        choices = {label["annotator"]: label["choice"] for label in pair.labels}
        said = {(v["judge"], v["swapped"]): v.get("choice") or v.get("status") for v in pair.verdicts}
        cells = [*pair.row.values(), *[pair.gold] * with_gold, *map(choices.get, annotators), *map(said.get, judges)]
        work.rows += 1
        yield table.line([*cells, orjson.dumps(pair.metadata).decode() if pair.metadata else ""])


def labels(work: Work) -> Iterator[bytes]:
    """A row a label, and a row for each decision that came too late; texts of pairs are in the other tables."""
    aspects = [name for (name,) in rows(_ASPECTS, [work.dataset.pk])]
    with_gold = bool(work.options.policy)
    table = Table(safe=work.options.spreadsheet)
    header = [*_OF_PAIR, *["gold"] * with_gold, *_OF_LABEL, *_AGAIN, "late", *(f"aspect:{name}" for name in aspects)]
    yield table.header(header)
    for pair in work.pairs():
        before = [pair.row[name] for name in _OF_PAIR] + [pair.gold] * with_gold
        for is_late, found in ((False, pair.labels), (True, pair.late)):
            for label in found:
                work.rows += 1
                yield table.line([*before, *_label_cells(label, is_late=is_late, aspects=aspects)])


def _label_cells(label: Told, *, is_late: bool, aspects: list[str]) -> list[object]:
    again = label.get("reconsidered") or {}
    given = label.get("aspects") or {}
    return [
        *map(label.get, _OF_LABEL),
        again.get("choice"),
        again.get("rationale"),
        again.get("at"),
        is_late or None,
        *map(given.get, aspects),
    ]


class Table:
    """Lines of a CSV file, all cells quoted. `safe` puts an apostrophe before what would run as a formula.

    Where every cell is quoted, quoting is doubling quotation marks. Python's writer looks at each character for that,
    which took most of an export's time.
    """

    def __init__(self, *, safe: bool) -> None:
        self._safe = safe

    def header(self, names: list[str]) -> bytes:
        return BYTE_ORDER_MARK.encode() * self._safe + self.line(names)

    def line(self, cells: Iterable[object]) -> bytes:
        texts = [cell if type(cell) is str else _cell(cell) for cell in cells]
        if self._safe:
            texts = ["'" + text if _FORMULA.match(text) else text for text in texts]
        return ('"' + '","'.join([text.replace('"', '""') for text in texts]) + '"\r\n').encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
