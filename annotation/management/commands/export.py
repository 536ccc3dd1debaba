import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotation.exporting.formats import FORMATS
from annotation.exporting.making import Export
from annotation.exporting.options import ExportError, Options, Ties
from annotation.models import Dataset


class Command(BaseCommand):
    help = "Export a dataset with its labels and verdicts, and a manifest beside it. See docs/formats.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", metavar="NAME")
        parser.add_argument("--format", choices=FORMATS, default="tiebreak")
        parser.add_argument("--output", type=Path, metavar="FILE", help="Otherwise, and with -, to standard output.")
        parser.add_argument(
            "--manifest", type=Path, metavar="FILE", help="Where its manifest goes: FILE.manifest.json if not said."
        )
        parser.add_argument("--policy", default="", metavar="POLICY", help="Add the gold of this policy to tables.")
        parser.add_argument("--judge", default="", metavar="NAME", help="Whose verdicts become PandaLM training data.")
        parser.add_argument("--ties", choices=list(Ties), default=Ties.OUT, help="In preferences: leave out, or keep.")
        parser.add_argument("--spreadsheet", action="store_true", help="CSV without what would run as a formula.")

    def handle(self, *_args: object, **given: object) -> None:
        export = _export(given)
        path, manifest = given["output"], given["manifest"]
        if path is None or str(path) == "-":
            sys.stdout.buffer.writelines(export.pieces())
            sys.stdout.buffer.flush()
        else:
            manifest = manifest or path.with_name(f"{path.name}.manifest.json")
            _write(path, export)
        if manifest is not None:
            _write_whole(manifest, export.manifest_json(file_name=path.name if path else ""))


def _export(given: dict[str, object]) -> Export:
    dataset = Dataset.objects.filter(slug=given["dataset"]).first()
    if dataset is None:
        known = ", ".join(Dataset.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no dataset called {given['dataset']}. There are: {known}.")
    options = Options(
        policy=str(given["policy"]),
        judge=str(given["judge"]),
        ties=Ties(str(given["ties"])),
        spreadsheet=bool(given["spreadsheet"]),
    )
    try:
        return Export(dataset=dataset, format_name=str(given["format"]), options=options)
    except ExportError as error:
        raise CommandError(str(error)) from None


def _write(path: Path, export: Export) -> None:
    """Written beside and moved into place, so that what is there is never half a file."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.writelines(export.pieces())
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
