"""Parquet: a row a pair, its labels and verdicts as lists in it. Written a group of rows at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from annotation.exporting.reading import PAIR_KEYS, Exported, Told
from annotation.exporting.work import Work

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 2000
GROUP_CHARACTERS = 16 * 1024**2


def write(work: Work) -> Iterator[bytes]:
    # Half as large as the rest of the web process, and only wanted here.
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = _Sink()
    # What is written in these words is read by pandas, Polars, DuckDB and Hugging Face's datasets.
    with pq.ParquetWriter(sink, _schema(), compression="zstd") as writer:
        for group in _groups(work):
            writer.write_table(pa.Table.from_pylist(group, schema=writer.schema))
            yield sink.taken()
    yield sink.taken()


def _groups(work: Work) -> Iterator[list[Told]]:
    group: list[Told] = []
    characters = 0
    for pair in work.pairs():
        group.append(_row(pair))
        characters += sum(map(len, pair.row.values()))
        work.rows += 1
        if len(group) >= GROUP or characters >= GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _row(pair: Exported) -> Told:
    return pair.row | {
        "metadata": orjson.dumps(pair.metadata).decode() if pair.metadata else None,
        "gold": _text(pair.gold),
        "labels": [_label(label) for label in pair.labels],
        "late_decisions": [_label(label) for label in pair.late],
        "verdicts": [_verdict(verdict) for verdict in pair.verdicts],
    }


def _text(choice: int | str | None) -> str | None:
    return None if choice is None else str(choice)


def _label(label: Told) -> Told:
    told = label | {"choice": _text(label["choice"])}
    if aspects := label.get("aspects"):
        told["aspects"] = [(name, _text(choice)) for name, choice in aspects.items()]
    if again := label.get("reconsidered"):
        told["reconsidered"] = again | {"choice": _text(again["choice"])}
    return told


def _verdict(verdict: Told) -> Told:
    p, altered = verdict.get("probabilities") or {}, verdict.get("altered")
    told = {"choice": _text(verdict["choice"]), "p_1": p.get("1"), "p_2": p.get("2"), "p_tie": p.get("tie")}
    return verdict | told | {"altered": orjson.dumps(altered).decode() if altered else None}


def _schema() -> "pa.Schema":
    """Choices are the texts 1, 2 and tie, moments are in UTC."""
    import pyarrow as pa

    text, moment = pa.string(), pa.timestamp("us", tz="UTC")
    decision: list[tuple[str, Any]] = [
        ("annotator", text), ("choice", text), ("rationale", text), ("seconds", pa.float64()), ("swapped", pa.bool_()),
        ("at", moment),
    ]  # fmt: skip
    label = [
        *decision, ("changed_at", moment), ("flag", text), ("guideline", pa.int32()),
        ("confidence", pa.int8()), ("aspects", pa.map_(text, text)), ("revealed_at", moment),
        ("audited_at", moment),
        ("reconsidered", pa.struct([("choice", text), ("rationale", text), ("at", moment)])),
    ]  # fmt: skip
    verdict = [
        ("judge", text), ("swapped", pa.bool_()), ("choice", text), ("status", text), ("p_1", pa.float64()),
        ("p_2", pa.float64()), ("p_tie", pa.float64()), ("reason", text), ("reference", text), ("raw", text),
        ("prompt_tokens", pa.int32()), ("answer_tokens", pa.int32()), ("seconds", pa.float64()),
        ("cost", pa.float64()), ("at", moment), ("altered", text),
    ]  # fmt: skip
    return pa.schema(
        [
            *((name, text) for name in PAIR_KEYS),
            ("metadata", text),
            ("gold", text),
            ("labels", pa.list_(pa.struct(label))),
            ("late_decisions", pa.list_(pa.struct(decision))),
            ("verdicts", pa.list_(pa.struct(verdict))),
        ]
    )


class _Sink:
    """What pyarrow writes into, and a generator takes out of."""

    closed = False

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        # Only lent: pyarrow uses the buffer again.
        piece = bytes(data)
        self._waiting.append(piece)
        self._written += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data

    def tell(self) -> int:
        return self._written

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """All of it is in memory."""

    def close(self) -> None:
        """Nothing to give back."""
