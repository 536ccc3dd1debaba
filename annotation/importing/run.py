"""The work of an import's job: read, stage, check, store; all of it in one transaction, or nothing."""

import hashlib
import time
from typing import Any

from django.db import connection, transaction

from annotation.importing.fields import Fields
from annotation.importing.formats import Format, format_of
from annotation.importing.labels import Target, check_labels, create_annotators, insert_labels
from annotation.importing.options import Options
from annotation.importing.pairs import check_pairs, insert_pairs
from annotation.importing.problems import Problems, RejectedError, UnreadableError
from annotation.importing.reading import RowReader, open_rows
from annotation.importing.staging import Stage
from annotation.models import Dataset, Import, ImportProblem
from annotation.slots import make_slots
from annotation.verdict_store import verdict_store
from jobs.errors import PermanentError
from jobs.running import Running

USUAL_LABELS = {Dataset.Purpose.TEST: 3}
# One import at a time: two that share prompts would wait for each other's rows crosswise.
_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtextextended('tiebreak.import', 0))"
_LOOK_AGAIN_SECONDS = 0.2
_pause = time.sleep


def run_import(running: Running) -> None:
    """Import the file of `running.subject_id`. Raises RejectedError, storing only its problems, if it has errors."""
    source = Import.objects.get(pk=running.subject_id)
    work = _Work(source, running)
    try:
        with running.writing():
            work.do()
            # A dry run has done all of it, so that it tells all of it, and takes it back.
            if work.problems.errors or work.options.dry_run:
                transaction.set_rollback(True)
    except FileNotFoundError as error:
        raise PermanentError("The uploaded file is gone from the server. Upload it again.") from error
    with running.writing():
        work.tell()
    if work.problems.errors:
        raise RejectedError(
            f"{source.file_name} has {_counted(work.problems.errors, 'error')}. Nothing was imported. "
            "Mend the file and import it again."
        )


class _Work:
    def __init__(self, source: Import, running: Running):
        self.source = source
        self.running = running
        self.options = Options.from_json(source.options)
        self.problems = Problems()
        self.format: Format | None = None
        self.summary: dict[str, Any] = {"dry_run": self.options.dry_run}
        self._began = time.monotonic()

    def do(self) -> None:
        """Read, check and, unless there are errors, store."""
        wait_for_other_imports(self.running)
        with connection.cursor() as cursor:
            # Rows are stored after those that they point to. Checked at once, what is wrong shows in a dry run too.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with Stage() as stage:
            self._read(stage)
            if self.format is None:
                return
            stage.finish()
        self._say("Checking")
        dataset = Dataset.objects.select_for_update(no_key=True).filter(slug=self.source.dataset_slug).first()
        target = self._target(dataset)
        self._check(stage, target)
        if not self.problems.errors:
            self._store(stage, dataset or self._new_dataset(target), target)

    def tell(self) -> None:
        """Keep what was found out, in the place of what an earlier attempt found out."""
        self.summary |= {
            "format": self.format.name if self.format else None,
            "errors": self.problems.errors,
            "warnings": self.problems.warnings,
            "left_out": self.problems.left_out,
            "seconds": round(time.monotonic() - self._began, 3),
        }
        self.source.summary = self.summary
        if not self.problems.errors and not self.options.dry_run:
            self.source.dataset = Dataset.objects.get(slug=self.source.dataset_slug)
        self.source.save(update_fields=["summary", "dataset"])
        self.source.problems.all().delete()
        ImportProblem.objects.bulk_create(
            ImportProblem(
                source=self.source,
                line=each.line,
                field=each.field,
                severity=ImportProblem.Severity.ERROR if each.is_error else ImportProblem.Severity.WARNING,
                message=each.message,
                value=each.value,
            )
            for each in self.problems.kept
        )

    def _say(self, phase: str) -> None:
        self.running.progress(self.summary.get("rows", 0), self.summary.get("rows"), phase)

    def _read(self, stage: Stage) -> None:
        if not self.source.file:
            raise FileNotFoundError(self.source.file_name)
        path = self.source.file.path
        with open(path, "rb") as file:
            self.summary["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            file, reader = open_rows(path, name=self.source.file_name, problems=self.problems)
        except UnreadableError as error:
            self.problems.error(error.line, "", error.message, error.value)
            return
        with file:
            self.summary |= {"bytes": reader.size, "unit": reader.unit}
            try:
                self.summary["rows"] = self._stage_rows(reader, stage)
            except UnreadableError as error:
                self.problems.error(error.line, "", error.message, error.value)

    def _stage_rows(self, reader: RowReader, stage: Stage) -> int:
        count = 0
        for count, row in enumerate(reader, 1):
            if self.format is None:
                self.format = format_of(row.values, line=row.line, wanted=self.options.format)
                self._check_columns(reader, row.values)
            before = self.problems.errors
            parsed = self.format.parse(Fields(row.values, line=row.line, problems=self.problems), self.options)
            stage.stores_texts = not self.problems.errors
            if parsed is not None and self.problems.errors == before:
                stage.add(row.line, parsed)
            if not count % 500:
                self.running.progress(count, round(count * reader.size / reader.offset), "Reading")
        if not count and not self.problems.errors:
            self.problems.error(None, "", "There is no row in this file. Choose one with at least one pair in it.")
        return count

    def _check_columns(self, reader: RowReader, values: dict[str, Any]) -> None:
        """In CSV a missing column is missing from all rows: said once, of the header."""
        missing = [name for name in ("instruction", "response1", "response2") if name not in values]
        if reader.is_csv and self.format is not None and self.format.name == "tiebreak" and missing:
            raise UnreadableError(1, f"The column {', '.join(missing)} is missing. Add it to the header and the rows.")

    def _target(self, dataset: Dataset | None) -> Target:
        """Where the rows go, and with how much room for labels; a problem if that would take room away."""
        assert self.format is not None
        stored = dataset.labels_per_pair if dataset else None
        wanted = self.options.labels_per_pair
        if stored is not None and wanted is not None and wanted < stored:
            message = f"The dataset has {stored} labels a pair already, which an import may raise but not lower."
            self.problems.error(None, "labels_per_pair", message, wanted)
        if wanted is None:
            wanted = USUAL_LABELS.get(Dataset.Purpose(self._purpose()), 0) if stored is None else stored
        if dataset and self.options.purpose not in (None, dataset.purpose):
            message = f"The dataset is there already, with the purpose {dataset.purpose}. Leave the purpose out."
            self.problems.error(None, "purpose", message, self.options.purpose)
        return Target(
            dataset_id=dataset.pk if dataset else 0,
            labels_per_pair=max(wanted, stored or 0),
            replace=self.options.replace,
            create_annotators=self.options.create_annotators or not self.format.names_people,
        )

    def _purpose(self) -> str:
        assert self.format is not None
        return self.options.purpose or self.format.purpose

    def _new_dataset(self, target: Target) -> Dataset:
        return Dataset.objects.create(
            slug=self.source.dataset_slug, purpose=self._purpose(), labels_per_pair=target.labels_per_pair
        )

    def _check(self, stage: Stage, target: Target) -> None:
        dataset_id = target.dataset_id or None
        check_pairs(
            dataset_id=dataset_id,
            slug=self.source.dataset_slug,
            replace=target.replace,
            references=stage.references,
            problems=self.problems,
        )
        if stage.labels or stage.late:
            check_labels(target=target, problems=self.problems)
        if stage.verdicts:
            verdict_store().check(dataset_id=dataset_id, replace=target.replace, problems=self.problems)

    def _store(self, stage: Stage, dataset: Dataset, target: Target) -> None:
        if dataset.labels_per_pair < target.labels_per_pair:
            dataset.labels_per_pair = target.labels_per_pair
            dataset.save(update_fields=["labels_per_pair"])
        target = Target(
            dataset_id=dataset.pk,
            labels_per_pair=target.labels_per_pair,
            replace=target.replace,
            create_annotators=target.create_annotators,
        )
        if stage.pairs:
            self._say("Storing pairs")
            counts = insert_pairs(dataset_id=dataset.pk, replace=target.replace)
            texts = {"prompts": stage.prompts, "responses": stage.responses} if counts["new"] else {}
            self.summary["pairs"] = counts | texts
        make_slots(dataset=dataset)
        if stage.labels or stage.late:
            self._say("Storing labels")
            self.summary["annotators"] = create_annotators() if target.create_annotators else []
            self.summary["labels"] = insert_labels(target=target)
        if stage.verdicts:
            self._say("Storing verdicts")
            self.summary["verdicts"] = verdict_store().store(
                dataset=dataset, replace=target.replace, created_by=self.source.created_by
            )


def wait_for_other_imports(running: Running) -> None:
    """Hold the right to import until the transaction ends. A wait is told, and can be cancelled."""
    while not _got_the_right_to_import():
        running.progress(0, None, "Waiting for another import to end")
        _pause(_LOOK_AGAIN_SECONDS)


def _got_the_right_to_import() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME)
        return cursor.fetchone()[0]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
