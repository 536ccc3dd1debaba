"""Rows on their way: into temporary tables of the open transaction, by COPY, a few thousand at a time.

Everything that concerns more than one row is then asked of these tables in SQL, so that this process remembers none.
PostgreSQL stores the texts of a batch while the next is being read: on two cores that hides most of the reading.
"""

import hashlib
import io
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import orjson
import psycopg
from django.db import connection
from psycopg.copy import FileWriter

from annotation.importing.rows import LabelRow, LateRow, PairRow, ReferenceRow, VerdictRow
from annotation.importing.texts import COLUMNS, IDS, TEXTS, keep_without_texts, store_texts

BATCH_ROWS = 4_000
BATCH_CHARACTERS = 8 * 1024**2

# Hashes are as annotation.models.content_hash makes them; `content` is that of the whole pair, its models included.
_TABLES = {
    "staged_text": f"{COLUMNS}, {TEXTS}",
    "staged_label": """
        line int, external_id text, annotator text, choice smallint, swapped boolean, rationale text, flag text,
        seconds double precision, at timestamptz, changed_at timestamptz, guideline bigint, confidence smallint,
        aspects jsonb, revealed_at timestamptz, audited_at timestamptz,
        again smallint, again_rationale text, again_at timestamptz
    """,
    "staged_late": """
        line int, external_id text, annotator text, choice smallint, swapped boolean, rationale text,
        seconds double precision, at timestamptz
    """,
    "staged_verdict": """
        line int, external_id text, judge text, swapped boolean, choice smallint, status text,
        p_1 double precision, p_2 double precision, p_tie double precision, reason text, reference text, raw text,
        prompt_tokens int, answer_tokens int, seconds double precision, cost numeric(12, 6), at timestamptz,
        altered jsonb
    """,
}
_KEPT = {"staged_pair": f"{COLUMNS}, {IDS}"}
_LONG = {"instruction", "input", "reference", "response_1", "response_2", "reason", "raw"}


class _Batch:
    """Rows of some length, by table, already as COPY wants them: this is done while the batch before is stored."""

    def __init__(self, driver: "psycopg.Connection[Any]"):
        self.rows = self.characters = 0
        self._data = {name: io.BytesIO() for name in _TABLES}
        self._copies = {
            name: psycopg.Copy(driver.cursor(), binary=False, writer=FileWriter(data))
            for name, data in self._data.items()
        }

    def write(self, name: str, row: tuple[Any, ...]) -> None:
        self._copies[name].write_row(row)

    def send(self, cursor: "psycopg.Cursor[Any]") -> None:
        for name, data in self._data.items():
            self._copies[name].finish(None)
            if data.tell():
                with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                    copy.write(data.getbuffer())


class Stage:
    """Temporary tables and what goes into them, for the length of a block inside a transaction.

    `prompts` and `responses` count what was new. With `stores_texts` off, rows are kept for the checks alone.
    """

    def __init__(self) -> None:
        self.pairs = self.labels = self.late = self.verdicts = self.references = 0
        self.prompts = self.responses = 0
        self.stores_texts = True
        self._batch = _Batch(connection.connection)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._stored: Future[None] | None = None

    def __enter__(self) -> Self:
        with connection.cursor() as cursor:
            # Sorts and joins of these tables fit into memory.
            cursor.execute("SET LOCAL work_mem = '128MB'")
            for name, columns in (_TABLES | _KEPT).items():
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
                cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
                # Compressing what is read back in a moment costs more than it saves.
                for text in _LONG.intersection(columns.replace(",", " ").split()):
                    cursor.execute(f"ALTER TABLE {name} ALTER COLUMN {text} SET STORAGE EXTERNAL")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is on its way: the transaction belongs to it until then."""
        self._thread.shutdown()

    def add(self, line: int, row: PairRow | ReferenceRow) -> None:
        if isinstance(row, ReferenceRow):
            self.references += 1
            external_id = row.external_id
        else:
            external_id = self._add_pair(line, row)
            for label in row.labels:
                self._add_label(line, external_id, label)
            for late in row.late:
                self._add_late(line, external_id, late)
        for verdict in row.verdicts:
            self._add_verdict(line, external_id, verdict)
        self._batch.rows += 1
        if self._batch.rows >= BATCH_ROWS or self._batch.characters >= BATCH_CHARACTERS:
            self._send()

    def finish(self) -> None:
        """Wait until all rows are staged, with the statistics that good plans need and nobody else gathers."""
        self._send()
        self._arrived()
        with connection.cursor() as cursor:
            for name in _TABLES | _KEPT:
                cursor.execute(f"ANALYZE {name}")

    def _send(self) -> None:
        """Hand the batch over as soon as the one before it is stored; only one is ever on its way.

        Sending is done here: in a thread it would wait for this one, which is busy reading, at every piece.
        """
        self._arrived()
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            self._batch.send(cursor)
        self._batch = _Batch(connection.connection)
        self._stored = self._thread.submit(self._store, connection.connection, self.stores_texts)

    def _arrived(self) -> None:
        if self._stored is not None:
            # What the driver raised there is told as Django would have.
            with connection.wrap_database_errors:
                self._stored.result()

    def _store(self, driver: "psycopg.Connection[Any]", stores_texts: bool) -> None:
        """In the thread: the driver's own connection, which one thread at a time may use, not Django's."""
        with driver.cursor() as cursor:
            if stores_texts:
                prompts, responses = store_texts(cursor)
                self.prompts += prompts
                self.responses += responses
            else:
                keep_without_texts(cursor)

    def _add_pair(self, line: int, row: PairRow) -> str:
        self.pairs += 1
        prompt_hash = hex_hash(row.instruction, row.input, row.source, row.reference)
        hash_1, hash_2 = hex_hash(row.response_1), hex_hash(row.response_2)
        content = hex_hash(prompt_hash, hash_1, row.generator_1, hash_2, row.generator_2)
        external_id = row.external_id or content
        self._batch.characters += len(row.instruction) + len(row.input) + len(row.response_1) + len(row.response_2)
        self._batch.write(
            "staged_text",
            (
                line,
                external_id,
                content,
                prompt_hash,
                hash_1,
                hash_2,
                row.generator_1 or None,
                row.generator_2 or None,
                orjson.dumps(row.metadata).decode() if row.metadata else "{}",
                row.instruction,
                row.input,
                row.source,
                row.reference,
                row.response_1,
                row.response_2,
            ),
        )
        return external_id

    def _add_label(self, line: int, external_id: str, row: LabelRow) -> None:
        self.labels += 1
        self._batch.write(
            "staged_label",
            (
                line,
                external_id,
                row.annotator,
                row.choice,
                row.swapped,
                row.rationale,
                row.flag,
                row.seconds,
                row.at,
                row.changed_at,
                row.guideline,
                row.confidence,
                orjson.dumps(row.aspects).decode() if row.aspects else "{}",
                row.revealed_at,
                row.audited_at,
                row.again.choice if row.again else None,
                row.again.rationale if row.again else "",
                row.again.at if row.again else None,
            ),
        )

    def _add_late(self, line: int, external_id: str, row: LateRow) -> None:
        self.late += 1
        self._batch.write(
            "staged_late",
            (line, external_id, row.annotator, row.choice, row.swapped, row.rationale, row.seconds, row.at),
        )

    def _add_verdict(self, line: int, external_id: str, row: VerdictRow) -> None:
        self.verdicts += 1
        self._batch.characters += len(row.reason) + len(row.reference) + len(row.raw)
        self._batch.write(
            "staged_verdict",
            (
                line,
                external_id,
                row.judge,
                row.swapped,
                row.choice,
                row.status,
                row.p_1,
                row.p_2,
                row.p_tie,
                row.reason,
                row.reference,
                row.raw,
                row.prompt_tokens,
                row.answer_tokens,
                row.seconds,
                row.cost,
                row.at,
                orjson.dumps(row.altered).decode() if row.altered else None,
            ),
        )


def hex_hash(*texts: str) -> str:
    """annotation.models.content_hash as 32 hexadecimal digits, without the cost of a UUID object."""
    parts = []
    for text in texts:
        data = text.encode()
        parts += (len(data).to_bytes(8, "big"), data)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]
