"""JSON Lines: our own format, which holds everything, and preference rows."""

from collections.abc import Iterator
from typing import Any

import orjson

from annotation.exporting.options import Ties
from annotation.exporting.reading import PAIR_KEYS, Exported, Told
from annotation.exporting.work import Work
from annotation.importing.tiebreak import LABEL_COLUMN, LATE, VERDICT_COLUMN

_ALWAYS = {"id", "instruction", "input", "response1", "response2"}
_TAKEN = frozenset({*PAIR_KEYS, "labels", "verdicts", LATE})


def tiebreak(work: Work) -> Iterator[bytes]:
    for pair in work.pairs():
        row: Told = {name: text for name, text in pair.row.items() if text or name in _ALWAYS}
        if pair.metadata:
            row |= beside(pair.metadata, taken=_TAKEN)
        row["labels"] = pair.labels
        if pair.late:
            row[LATE] = pair.late
        row["verdicts"] = pair.verdicts
        work.rows += 1
        yield orjson.dumps(row) + b"\n"


def beside(metadata: dict[str, Any], *, taken: frozenset[str] | set[str]) -> dict[str, Any]:
    """Extra keys as they came in; those that would be read as something else stand inside `metadata`."""
    clashes = {
        name
        for name in metadata
        if name in taken or name == "metadata" or name.startswith((LABEL_COLUMN, VERDICT_COLUMN))
    }
    kept = {name: value for name, value in metadata.items() if name not in clashes}
    if clashes:
        kept["metadata"] = {name: metadata[name] for name in clashes}
    return kept


def preferences(work: Work) -> Iterator[bytes]:
    """A row for each pair that has gold. Kept ties say so, with response 1 as chosen."""
    keeps_ties = work.options.ties is Ties.KEEP
    for pair in work.pairs():
        if pair.gold is None:
            work.left_out["without gold"] += 1
        elif pair.gold == "tie" and not keeps_ties:
            work.left_out["ties"] += 1
        else:
            work.rows += 1
            yield orjson.dumps(_preference(pair, keeps_ties=keeps_ties)) + b"\n"


def _preference(pair: Exported, *, keeps_ties: bool) -> Told:
    row = pair.row
    chosen, rejected = ("2", "1") if pair.gold == 2 else ("1", "2")
    told: Told = {
        "id": row["id"],
        "prompt": f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"],
        "chosen": row[f"response{chosen}"],
        "rejected": row[f"response{rejected}"],
    }
    if row["model1"] or row["model2"]:
        told |= {"chosen_model": row[f"model{chosen}"], "rejected_model": row[f"model{rejected}"]}
    if row["source"]:
        told["source"] = row["source"]
    if keeps_ties:
        told["tie"] = pair.gold == "tie"
    return told
