"""Making a file: its bytes with their hash, and the manifest that says what it is."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from typing import IO, Any

import orjson
from django.conf import settings
from django.db.models import Max

from annotation.exporting.formats import FORMATS, Format
from annotation.exporting.options import ExportError, Options
from annotation.exporting.reading import Reader, one_moment
from annotation.exporting.work import Work
from annotation.gold_rule import gold_rule
from annotation.left_out import names_left_out
from annotation.models import Dataset, User
from annotation.verdict_store import verdict_store

# The rows' own pieces are small: they are hashed, packed and sent some at a time.
PIECE = 256 * 1024


class Export:
    """One file of one dataset, as it is in one moment. `made_by` is None for whoever has the terminal.

    `chosen` are the ids of the pairs that are wanted, in rising order, where not all are.
    Raises ExportError for options that do not fit the format or the dataset.
    """

    def __init__(
        self,
        *,
        dataset: Dataset,
        format_name: str,
        options: Options | None = None,
        made_by: User | None = None,
        chosen: Sequence[int] | None = None,
    ) -> None:
        if format_name not in FORMATS:
            raise ExportError(f"No format is called {format_name}: choose one of {', '.join(FORMATS)}.")
        self.dataset = dataset
        self.format: Format = FORMATS[format_name]
        self.options = _fitting(self.format, dataset, options or Options())
        self._made_by = made_by
        self._chosen = chosen
        self._made_at = datetime.now(UTC)
        self._sha256 = hashlib.sha256()
        self._bytes = 0
        self._work: Work | None = None

    @property
    def file_name(self) -> str:
        """What it is called unless somebody names it."""
        return f"{self.dataset.slug}{self.format.ending}"

    def pieces(self) -> Iterator[bytes]:
        """The file, to be read to its end at once: until then the database holds the moment."""
        with one_moment():
            reads = {"policy": self.options.policy, "with_verdicts": self.format.has_verdicts, "chosen": self._chosen}
            reader = Reader(self.dataset, **reads)
            self._made_at = datetime.now(UTC)
            names = names_left_out(self.dataset)
            self._work = Work(dataset=self.dataset, options=self.options, reader=reader, gold_leaves_out=names)
            for piece in _gathered(self.format.write(self._work)):
                self._sha256.update(piece)
                self._bytes += len(piece)
                yield piece

    def manifest(self, *, file_name: str = "") -> dict[str, Any]:
        """What the file is, under the name that it got; to be asked for when all pieces are read."""
        if self._work is None:
            raise RuntimeError("A manifest is made after its file.")
        work = self._work
        return {
            "file": {"name": file_name or self.file_name, "sha256": self._sha256.hexdigest(), "bytes": self._bytes},
            "format": self.format.name,
            "rows": work.rows,
            "left_out": dict(work.left_out),
            "dataset": {
                "name": self.dataset.slug,
                "purpose": self.dataset.purpose,
                "labels_per_pair": self.dataset.labels_per_pair,
            },
            "read": work.reader.counts.told(with_verdicts=self.format.has_verdicts),
            "policy": _policy_told(self.options.policy),
            "gold_leaves_out": work.gold_leaves_out,
            "guidelines": {
                "newest": self.dataset.guidelines.aggregate(newest=Max("number"))["newest"],
                "labels_by_revision": work.reader.counts.by_revision(),
            },
            "options": self.options.told(),
            "made_at": self._made_at.isoformat(timespec="seconds"),
            "made_by": self._made_by.get_username() if self._made_by else None,
            "made_with": f"Tiebreak {version('tiebreak')}",
        } | work.remarks

    def manifest_json(self, *, file_name: str = "") -> bytes:
        return orjson.dumps(self.manifest(file_name=file_name), option=orjson.OPT_INDENT_2) + b"\n"


def _policy_told(policy: str) -> dict[str, Any] | None:
    return {"name": policy, "rules": gold_rule().rules(policy)} if policy else None


def _fitting(form: Format, dataset: Dataset, options: Options) -> Options:
    """The options, with what the format needs and nobody said; nothing is put in the place of what was said."""
    values = {name: getattr(options, name) for name in ("policy", "judge", "ties", "spreadsheet")}
    if form.needs_policy:
        values["policy"] = options.policy or "default"
    if values["policy"]:
        try:
            gold_rule().rules(values["policy"])
        except ValueError as error:
            raise ExportError(str(error)) from None
    if form.needs_judge:
        values["judge"] = _judge(dataset, options.judge)
    return Options(**values)


def _judge(dataset: Dataset, asked: str) -> str:
    judges = [name for name, swapped in verdict_store().columns_of(dataset=dataset) if not swapped]
    if asked in judges:
        return asked
    if not asked and len(judges) == 1:
        return judges[0]
    if not judges:
        raise ExportError(f"{dataset} has no verdicts in the given order: run or import a judge first.")
    said = f"{asked} has no verdicts in the given order on {dataset}." if asked else "Whose verdicts are meant?"
    raise ExportError(f"{said} Choose a judge: {', '.join(judges)}.")


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about PIECE."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def on_disk(export: Export, *, packed: bool) -> IO[bytes]:
    """The whole file, or a zip of it and its manifest, as an open temporary file, which is gone when it is closed.

    On disk first, so that a slow download holds no moment of the database, its length is known, and what fails is an
    error instead of half a file.
    """
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
    # Not where temporary files usually go: that may be memory.
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=settings.MEDIA_ROOT, prefix="export-"))
        if packed:
            _pack(export, file)
        else:
            file.writelines(export.pieces())
        file.seek(0)
        stack.pop_all()
    return file


def _write_behind(out: IO[bytes], pieces: Iterator[bytes]) -> None:
    """Each piece is packed in a thread while the next one is read: packing leaves the interpreter free."""
    with ThreadPoolExecutor(1, thread_name_prefix="packing") as thread:
        written: Future[int] | None = None
        for piece in pieces:
            if written is not None:
                written.result()
            written = thread.submit(out.write, piece)
        if written is not None:
            written.result()


def _pack(export: Export, file: IO[bytes]) -> None:
    how = zipfile.ZIP_STORED if export.format.is_compressed else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w", how, compresslevel=1) as packed:
        with packed.open(export.file_name, "w", force_zip64=True) as member:
            _write_behind(member, export.pieces())
        packed.writestr("manifest.json", export.manifest_json())
