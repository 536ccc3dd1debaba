"""Taking a file in: the row of an import, its stored file, the job that does the work, and what is told of it."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django.core.files import File
from django.db import transaction
from django.utils.crypto import get_random_string

from annotation.importing.options import Options
from annotation.models import Import, User
from jobs import lifecycle

WORK = "annotation.importing.run.run_import"


def start_import(
    *,
    file: File,
    file_name: str,
    dataset_slug: str,
    options: Options,
    created_by: User | None = None,
    send: bool = True,
) -> Import:
    """Store the file under a name that nobody can guess and queue its import. The dataset is made if it is new.

    With `send=False` no worker is told: the caller runs the job itself (jobs.running.run_here).
    """
    name = Path(file_name).name
    with transaction.atomic():
        source = Import(
            dataset_slug=dataset_slug, file_name=name[-255:], options=options.as_json(), created_by=created_by
        )
        source.file.save(f"{get_random_string(32)}.data", file, save=True)
        title = f"Try out {name[:150]}" if options.dry_run else f"Import {name[:150]} into {dataset_slug}"
        source.job = lifecycle.enqueue(kind=WORK, title=title, subject_id=source.pk, created_by=created_by, send=send)
        source.save(update_fields=["job"])
    return source


def import_for_real(*, tried: Import, created_by: User) -> Import:
    """Import the file of a dry run with the same options. Raises FileNotFoundError if it is gone."""
    if not tried.file:
        raise FileNotFoundError(tried.file_name)
    options = replace(Options.from_json(tried.options), dry_run=False)
    with tried.file.open("rb") as file:
        return start_import(
            file=file,
            file_name=tried.file_name,
            dataset_slug=tried.dataset_slug,
            options=options,
            created_by=created_by,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import did, or a dry run would do, to one kind of thing."""

    name: str
    new: int
    known: int
    changed: int


def counts_of(source: Import) -> list[Counts]:
    names = ("pairs", "labels", "verdicts")
    return [Counts(name, **_only_counts(source.summary[name])) for name in names if source.summary.get(name)]


def _only_counts(found: dict[str, int]) -> dict[str, int]:
    return {name: found[name] for name in ("new", "known", "changed")}


# What a spreadsheet would take for a formula, or for the white space before one; full width too.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def problems_as_csv(source: Import) -> Iterator[str]:
    """The stored problems. Fields, values and names in messages are the file's own: no spreadsheet is to run them."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([source.unit, "field", "severity", "message", "value"])
    for each in source.problems.iterator():
        texts = (each.field, each.severity, each.message, each.value)
        writer.writerow([each.line, *("'" + text if _FORMULA.match(text) else text for text in texts)])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()
