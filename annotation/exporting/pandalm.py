"""PandaLM's files: the test set with its columns of annotators, and training rows with a judge's verdicts.

https://github.com/WeOpenML/PandaLM
"""

from collections.abc import Iterator
from typing import Any

import orjson

from annotation.exporting.jsonl import beside
from annotation.exporting.reading import PAIR_KEYS, Exported, Told
from annotation.exporting.work import Work
from annotation.importing.pandalm import ANNOTATOR
from annotation.importing.staging import hex_hash

_TESTSET_KEYS = frozenset({"idx", "motivation_app", "cmp_key", *PAIR_KEYS})
_TRAIN_KEYS = frozenset({"idx", "inputs", "outputs"})


def testset(work: Work) -> Iterator[bytes]:
    columns = _numbered(work.annotators())
    work.remarks["annotators"] = {column: name for name, column in columns.items()}
    return _array(work, (_testset_row(pair, columns) for pair in work.pairs()))


def train(work: Work) -> Iterator[bytes]:
    """A row for each pair on which the judge gave a choice in the given order."""
    return _array(work, _train_rows(work))


def _array(work: Work, rows: Iterator[Told]) -> Iterator[bytes]:
    """A JSON array, a row a line."""
    before = b"[\n"
    for row in rows:
        work.rows += 1
        yield before + orjson.dumps(row)
        before = b",\n"
    yield b"\n]\n" if work.rows else b"[]\n"


def _testset_row(pair: Exported, columns: dict[str, str]) -> Told:
    row = pair.row
    told: Told = {"idx": _idx(row["id"])}
    if row["source"]:
        told["motivation_app"] = row["source"]
    models = [row["model1"], row["model2"]]
    if all(models) and not any("_" in name for name in models):
        told["cmp_key"] = "_".join(models)
    elif any(models):
        told |= {"model1": models[0], "model2": models[1]}
    told |= {name: row[name] for name in ("instruction", "input", "response1", "response2")}
    if row["reference"]:
        told["reference"] = row["reference"]
    choices = {label["annotator"]: label["choice"] for label in pair.labels}
    told |= {column: 0 if choices.get(name) == "tie" else choices.get(name) for name, column in columns.items()}
    if pair.metadata:
        taken = _TESTSET_KEYS | {name for name in pair.metadata if ANNOTATOR.match(name)}
        told |= beside(pair.metadata, taken=taken)
    return told


def _train_rows(work: Work) -> Iterator[Told]:
    for pair in work.pairs():
        verdict = next((v for v in pair.verdicts if v["judge"] == work.options.judge and not v["swapped"]), None)
        if verdict is None:
            work.left_out["without a verdict"] += 1
        elif verdict["choice"] is None:
            work.left_out[f"verdict {verdict['status']}"] += 1
        else:
            yield _train_row(pair, verdict)


def _train_row(pair: Exported, verdict: Told) -> Told:
    row, metadata = pair.row, pair.metadata
    inputs = {name: row[name] for name in ("instruction", "input", "response1", "response2")}
    outputs = {
        "evaluation_result": "Tie" if verdict["choice"] == "tie" else str(verdict["choice"]),
        "evaluation_reason": verdict.get("reason", ""),
        "reference_response": verdict.get("reference", ""),
    }
    told: Told = {} if row["id"] == _made_id(row) else {"idx": _idx(row["id"])}
    told |= {"inputs": _extra(metadata, "inputs") | inputs, "outputs": _extra(metadata, "outputs") | outputs}
    return told | {name: value for name, value in metadata.items() if name not in _TRAIN_KEYS}


def _extra(metadata: dict[str, Any], name: str) -> Told:
    """Keys that stood inside of inputs or outputs when they came in."""
    value = metadata.get(name)
    return value if isinstance(value, dict) else {}


def _made_id(row: dict[str, str]) -> str:
    """The id that an import makes of such a row, which then need not be written."""
    prompt = hex_hash(row["instruction"], row["input"], "", "")
    return hex_hash(prompt, hex_hash(row["response1"]), "", hex_hash(row["response2"]), "")


def _idx(external_id: str) -> int | str:
    is_number = external_id.isascii() and external_id.isdecimal() and str(int(external_id[:16])) == external_id
    return int(external_id) if is_number and len(external_id) < 16 else external_id


def _numbered(annotators: list[str]) -> dict[str, str]:
    """annotator1, annotator2 and so on: those who are called so keep their number, the others get what is free."""
    names = {name: name for name in annotators if ANNOTATOR.match(name)}
    free = (f"annotator{number}" for number in range(1, 2 * len(annotators) + 2))
    free = (column for column in free if column not in names.values())
    return {name: names.get(name) or next(free) for name in annotators} if annotators else {}
