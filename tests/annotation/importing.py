"""Running an import in a test, as the management command does: through its job, in this process."""

import io
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django.core.files.base import ContentFile, File

from annotation.importing.options import Options
from annotation.importing.problems import RejectedError
from annotation.imports import start_import
from annotation.models import Import
from jobs.running import run_here


def run_import(
    content: bytes | str | Path | Iterable[dict], *, dataset: str = "d", name: str = "", **options
) -> Import:
    """Import a file, its bytes or text, or rows as JSON Lines. Look at `summary` and `problems` of what comes back."""
    file, name = _file(content, name)
    source = start_import(file=file, file_name=name, dataset_slug=dataset, options=Options(**options), send=False)
    with suppress(RejectedError):
        run_here(job=source.job, out=io.StringIO())
    source.refresh_from_db()
    return source


def _file(content: bytes | str | Path | Iterable[dict], name: str) -> tuple[File, str]:
    if isinstance(content, Path):
        return File(content.open("rb")), name or content.name
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes):
        content = b"".join(json.dumps(row).encode() + b"\n" for row in content)
    return ContentFile(content), name or "rows.jsonl"


def pair_row(number: int = 1, **values: object) -> dict:
    """A row with its required keys."""
    return {
        "id": str(number),
        "instruction": f"Instruction {number}",
        "response1": f"First {number}",
        "response2": f"Second {number}",
    } | values


def problems_of(source: Import) -> list[tuple[int | None, str, str]]:
    """Line, field and message of each problem."""
    return [(each.line, each.field, each.message) for each in source.problems.all()]
