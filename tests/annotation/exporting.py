"""Exporting in a test, and rows with something in each of their fields."""

import json

from annotation.exporting.making import Export
from annotation.exporting.options import Options
from annotation.models import Dataset
from tests.annotation.importing import pair_row, run_import
from tests.factories import make_user


def export_of(slug: str, format_name: str = "tiebreak", **options) -> tuple[bytes, dict]:
    """The file and its manifest."""
    made = Export(dataset=Dataset.objects.get(slug=slug), format_name=format_name, options=Options(**options))
    content = b"".join(made.pieces())
    return content, json.loads(made.manifest_json())


def exported(slug: str, format_name: str = "tiebreak", **options) -> bytes:
    return export_of(slug, format_name, **options)[0]


def label_with_everything() -> dict:
    return {
        "annotator": "anna", "choice": 1, "rationale": "=why", "seconds": 3.5, "swapped": False,
        "at": "2026-11-01T09:00:00.000001+00:00", "confidence": 3, "aspects": {"clarity": 1, "adherence": "tie"},
        "revealed_at": "2026-11-01T09:01:00+00:00", "audited_at": "2026-11-01T09:01:30+00:00",
        "reconsidered": {"choice": 2, "rationale": "They are right.", "at": "2026-11-01T09:02:00+00:00"},
    }  # fmt: skip


def late_decision() -> dict:
    return {
        "annotator": "ben", "choice": "tie", "rationale": "Late", "seconds": 9.0, "swapped": True,
        "at": "2026-11-03T09:00:00+00:00",
    }  # fmt: skip


def make_judged() -> None:
    """Four pairs: gold 1, 2, tie and none; a judge has a choice on three of them."""
    for name in ("a", "b"):
        make_user(username=name)
    said = [(1, 1), (2, 2), ("tie", "tie"), (1, 2)]
    verdicts = [{"choice": 1, "reason": "r", "reference": "ref"}, {"choice": 2}, {"choice": "tie"}]
    verdicts.append({"choice": None, "status": "invalid", "raw": "?"})
    run_import(
        [
            pair_row(n, labels={"a": a, "b": b}, verdicts=[verdict | {"judge": "j"}], model1="one", model2="two")
            for n, ((a, b), verdict) in enumerate(zip(said, verdicts, strict=True), 1)
        ]
    )
