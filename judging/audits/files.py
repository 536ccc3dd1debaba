"""An audit as a file: its items as JSON Lines or CSV, a few hundred at a time, and what training is to make of it."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from annotation.exporting.reading import written
from judging.audits.snapshot import AuditedLabel, Stratum, snapshot_of
from judging.models import Audit, AuditItem

CHUNK = 500
_COLUMNS = (
    "pair",
    "position",
    "stratum",
    "stratum_labels",
    "stratum_drawn",
    "label",
    "state",
    "auditor",
    "swapped",
    "blind",
    "outcome",
    "right",
    "cause",
    "note",
    "seconds",
    "blind_at",
    "decided_at",
    "signals",
    "history",
)


def export_jsonl(audit: Audit) -> Iterator[bytes]:
    """A line about the audit, then a line for each item."""
    yield orjson.dumps({"audit": about(audit)}) + b"\n"
    for row in _rows(audit):
        yield orjson.dumps(row) + b"\n"


def export_csv(audit: Audit) -> Iterator[bytes]:
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(_COLUMNS)
    for row in _rows(audit):
        nested = {name: orjson.dumps(row[name]).decode() for name in ("stratum", "signals", "history")}
        lines.writerow(["" if value is None else value for value in (row | nested).values()])
        if out.tell() > 64_000:
            yield _emptied(out)
    yield _emptied(out)


EXPORTS = {"jsonl": (export_jsonl, "application/jsonl"), "csv": (export_csv, "text/csv; charset=utf-8")}


def snapshot(audit: Audit) -> dict[str, Any]:
    """Corrections, exclusions and weights for training; see judging.audits.snapshot."""
    decided = AuditItem.objects.filter(audit=audit, state=AuditItem.State.DECIDED).order_by("position")
    labels = (
        AuditedLabel(
            pair=pair,
            stratum=stratum,
            label=written(label),
            outcome=outcome,
            right=written(right),
            cause=cause,
        )
        for pair, stratum, label, outcome, right, cause in decided.values_list(
            "pair__external_id", "stratum__number", "distilled", "outcome", "right_choice", "cause"
        )
    )
    strata = [Stratum(number=each.number, cells=each.cells, population=each.population) for each in audit.strata.all()]
    return snapshot_of(about={"audit": about(audit)}, labels=labels, strata=strata, weighted=audit.is_sample)


def about(audit: Audit) -> dict[str, Any]:
    return {
        "id": audit.pk,
        "dataset": audit.dataset.slug,
        "run": audit.run_id,
        "judge": audit.run.judge.name,
        "judge_fingerprint": audit.run.frozen.get("fingerprint", audit.run.judge.fingerprint),
        "mode": audit.mode,
        "seed": audit.seed,
        "size": audit.size,
        "recipe": audit.recipe,
        "created_by": audit.created_by and audit.created_by.username,
        "created_at": audit.created_at.isoformat(),
    }


def _rows(audit: Audit) -> Iterator[dict[str, Any]]:
    found = AuditItem.objects.filter(audit=audit).order_by("position").select_related("pair", "stratum", "auditor")
    for item in found.iterator(chunk_size=CHUNK):
        yield {
            "pair": item.pair.external_id,
            "position": item.position,
            "stratum": item.stratum.cells,
            "stratum_labels": item.stratum.population,
            "stratum_drawn": item.stratum.drawn,
            "label": written(item.distilled),
            "state": item.state,
            "auditor": item.auditor and item.auditor.username,
            "swapped": item.swapped,
            "blind": written(item.blind_choice),
            "outcome": item.outcome or None,
            "right": written(item.right_choice),
            "cause": item.cause or None,
            "note": item.note,
            "seconds": item.seconds,
            "blind_at": item.blind_at and item.blind_at.isoformat(),
            "decided_at": item.decided_at and item.decided_at.isoformat(),
            "signals": item.signals,
            "history": item.history,
        }


def _emptied(out: io.StringIO) -> bytes:
    data = out.getvalue().encode()
    out.seek(0)
    out.truncate()
    return data
