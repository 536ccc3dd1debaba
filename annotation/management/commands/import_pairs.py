from argparse import ArgumentParser
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug

from annotation.importing.formats import NAMES
from annotation.importing.options import AUTO, Options
from annotation.importing.problems import RejectedError
from annotation.imports import start_import
from annotation.models import Dataset, Import
from jobs.errors import PermanentError
from jobs.running import run_here


class Command(BaseCommand):
    help = "Import pairs, labels and verdicts from a file into a dataset: all of it, or nothing. See docs/formats.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dataset", required=True, metavar="NAME", help="It is made if it does not exist.")
        parser.add_argument("--purpose", choices=Dataset.Purpose.values, help="Of a new dataset.")
        parser.add_argument("--format", choices=NAMES, default=AUTO)
        parser.add_argument("--judge", metavar="NAME", help="Whose verdicts these are, where the rows do not say.")
        parser.add_argument("--labels-per-pair", type=int, metavar="N", help="Usually 3 for test and 0 for train.")
        parser.add_argument("--replace", action="store_true", help="Take other labels and verdicts than those stored.")
        parser.add_argument("--create-annotators", action="store_true", help="Make accounts for unknown annotators.")
        parser.add_argument("--dry-run", action="store_true", help="Tell what would happen, and store nothing.")

    def handle(self, *_args: object, **given: object) -> None:
        source = self._start(given)
        try:
            run_here(job=source.job, out=self.stderr._out)
        except RejectedError as error:
            self._tell_problems(source)
            raise CommandError(str(error)) from None
        except PermanentError as error:
            raise CommandError(str(error)) from None
        self._tell_problems(source)
        self.stdout.write("\n".join(lines_of(source)))

    def _start(self, given: dict) -> Import:
        path = given["file"]
        try:
            validate_slug(given["dataset"])
        except ValidationError:
            raise CommandError("A dataset's name has letters, digits, - and _ only.") from None
        labels = given["labels_per_pair"]
        if labels is not None and not 0 <= labels <= 99:
            raise CommandError("--labels-per-pair must be from 0 to 99.")
        options = Options(
            format=given["format"],
            purpose=given["purpose"],
            labels_per_pair=labels,
            judge=given["judge"],
            replace=given["replace"],
            create_annotators=given["create_annotators"],
            dry_run=given["dry_run"],
        )
        try:
            with path.open("rb") as file:
                return start_import(
                    file=File(file), file_name=path.name, dataset_slug=given["dataset"], options=options, send=False
                )
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None

    def _tell_problems(self, source: Import) -> None:
        source.refresh_from_db()
        for each in source.problems.all():
            place = f"{source.unit} {each.line}" if each.line else "file"
            field = f", {each.field}" if each.field else ""
            value = f" Found: {each.value}" if each.value else ""
            self.stderr.write(f"{each.severity}: {place}{field}: {each.message}{value}")
        if left_out := source.summary.get("left_out"):
            self.stderr.write(f"... and {left_out:,} more problems.")


def lines_of(source: Import) -> list[str]:
    """The summary for a terminal."""
    done = "Would be imported" if source.summary["dry_run"] else "Imported"
    lines = [f"{done} from {source.file_name} ({source.summary['format']}) into {source.dataset_slug}:"]
    for name in ("pairs", "labels", "verdicts"):
        if counts := source.summary.get(name):
            told = f"{counts['new']:,} new, {counts['known']:,} known, {counts['changed']:,} changed"
            lines.append(f"  {name:<9}{told}")
    return lines
