"""The rows of a dataset, a few hundred pairs at a time, so that memory stays flat however large it is.

Rows come by kept statements in the binary format and are never made into objects of models: that is ten times the work.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import psycopg
from django.db import connection, transaction

from annotation.gold_rule import Gold, gold_rule
from annotation.models import Dataset, Generator, Guideline, User
from annotation.verdict_store import verdict_store

CHUNK = 1000
FIRST_CHUNK = 50
# A chunk of pairs with very long responses is made smaller, so that it holds about this much text.
CHUNK_CHARACTERS = 8 * 1024**2
PAIR_KEYS = ("id", "instruction", "input", "reference", "source", "response1", "response2", "model1", "model2")

_PAIRS = """
SELECT pair.id, pair.external_id, prompt.instruction, prompt.input, prompt.reference, prompt.source,
       first.text, second.text, first.generator_id, second.generator_id, NULLIF(pair.metadata, '{}')::text
  FROM annotation_pair pair
  JOIN annotation_prompt prompt ON prompt.id = pair.prompt_id
  JOIN annotation_response first ON first.id = pair.response_1_id
  JOIN annotation_response second ON second.id = pair.response_2_id
 WHERE pair.dataset_id = %s AND pair.id > %s ORDER BY pair.id LIMIT %s
"""
_CHOSEN_PAIRS = _PAIRS.replace("pair.id > %s", "pair.id > %s AND pair.id = ANY(%s)")
_LABELS = """
SELECT label.pair_id, label.annotator_id, label.choice, label.rationale, label.seconds, label.shown_swapped,
       label.created_at, NULLIF(label.changed_at, label.created_at), label.flag, label.guideline_id,
       label.confidence, NULLIF(label.aspects, '{}')::text, label.revealed_at, label.audited_at,
       again.choice, again.rationale, again.created_at
  FROM annotation_label label
  LEFT JOIN annotation_reconsideration again ON again.label_id = label.id
 WHERE label.pair_id = ANY(%s) ORDER BY label.pair_id, label.created_at, label.id
"""
_LATE = """
SELECT pair_id, annotator_id, choice, rationale, seconds, shown_swapped, created_at
  FROM annotation_latedecision WHERE pair_id = ANY(%s) ORDER BY pair_id, created_at, id
"""

Told = dict[str, Any]


@contextmanager
def one_moment() -> Iterator[None]:
    """Whatever is read inside is the database as it was at the first read, whatever is labelled meanwhile."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def rows(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Whole rows of a statement that PostgreSQL plans once, in its binary format."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, values, prepare=True, binary=True).fetchall()


def written(choice: int | None) -> int | str | None:
    """A stored choice as files write it."""
    return "tie" if choice == 0 else choice


@dataclass(slots=True)
class Exported:
    """One pair in the tiebreak format's words. Moments are datetimes; labels are in the order in which they came.

    `gold` is the choice under the export's policy as files write it; None without a policy or without gold.
    """

    row: dict[str, str]
    metadata: Told
    labels: list[Told]
    late: list[Told]
    verdicts: list[Told]
    gold: int | str | None = None


@dataclass
class Counts:
    """What was read; `guidelines` are labels by the revision that they know, None where they know none."""

    pairs: int = 0
    labels: int = 0
    late_decisions: int = 0
    reconsidered: int = 0
    verdicts: int = 0
    guidelines: Counter[int | None] = field(default_factory=Counter)

    def told(self, *, with_verdicts: bool) -> dict[str, int]:
        names = ["pairs", "labels", "late_decisions", "reconsidered", *["verdicts"] * with_verdicts]
        return {name: getattr(self, name) for name in names}

    def by_revision(self) -> dict[str, int]:
        numbers = sorted(self.guidelines, key=lambda number: number or 0)
        return {"none" if number is None else str(number): self.guidelines[number] for number in numbers}


class Reader:
    """All pairs of a dataset, or the chosen ones, in the order in which they came in, in the transaction that is open.

    chosen: ids of pairs in rising order; those that are not of the dataset are passed over.
    """

    def __init__(
        self, dataset: Dataset, *, policy: str = "", with_verdicts: bool = True, chosen: Sequence[int] | None = None
    ) -> None:
        self.counts = Counts()
        self._dataset = dataset
        self._with_verdicts = with_verdicts
        self._chosen = chosen
        self._gold: Gold | None = gold_rule().gold_of(dataset=dataset, policy=policy) if policy else None
        self._generators: dict[int | None, str] = dict(Generator.objects.values_list("pk", "name"))
        self._people: dict[int, str] = dict(User.objects.values_list("pk", "username"))
        self._revisions: dict[int | None, int] = dict(
            Guideline.objects.filter(dataset=dataset).values_list("pk", "number")
        )
        # Late decisions are rare: where there are none at all, no chunk asks for its own.
        self._has_late = bool(rows("SELECT FROM annotation_latedecision LIMIT 1", []))

    def __iter__(self) -> Iterator[Exported]:
        after, size = 0, FIRST_CHUNK
        while chunk := self._chunk(after, size):
            after = chunk[-1][0]
            yield from self._arranged(chunk)
            characters = sum(len(text) for row in chunk for text in row[2:8]) + 1
            size = max(1, min(CHUNK, 4 * size, CHUNK_CHARACTERS * len(chunk) // characters))

    def _chunk(self, after: int, size: int) -> list[tuple[Any, ...]]:
        if self._chosen is None:
            return rows(_PAIRS, [self._dataset.pk, after, size])
        # Of these all may have gone since they were chosen: that is not the end of them.
        start = bisect_right(self._chosen, after)
        while ids := self._chosen[start : start + size]:
            if found := rows(_CHOSEN_PAIRS, [self._dataset.pk, after, list(ids), size]):
                return found
            start += size
        return []

    def _arranged(self, chunk: list[tuple[Any, ...]]) -> Iterator[Exported]:
        ids = [row[0] for row in chunk]
        labels, late = self._labels_of(ids), self._late_of(ids) if self._has_late else {}
        verdicts = verdict_store().verdicts_of(dataset=self._dataset, pair_ids=ids) if self._with_verdicts else {}
        gold = self._gold_of(ids)
        self.counts.pairs += len(ids)
        self.counts.verdicts += sum(map(len, verdicts.values()))
        name = self._generators.get
        for number, (pk, *texts, generator_1, generator_2, metadata) in enumerate(chunk):
            yield Exported(
                dict(zip(PAIR_KEYS, (*texts, name(generator_1, ""), name(generator_2, "")), strict=True)),
                orjson.loads(metadata) if metadata else {},
                labels.get(pk, []),
                late.get(pk, []),
                verdicts.get(pk, []),
                gold[number] if gold else None,
            )

    def _labels_of(self, pair_ids: list[int]) -> dict[int, list[Told]]:
        labels: dict[int, list[Told]] = {}
        for pair, annotator, choice, rationale, seconds, swapped, at, *more in rows(_LABELS, [pair_ids]):
            told = {
                "annotator": self._people[annotator],
                "choice": written(choice),
                "rationale": rationale,
                "seconds": seconds,
                "swapped": swapped,
                "at": at,
            }
            if any(more):
                told |= self._more(*more)
            self.counts.labels += 1
            self.counts.guidelines[told.get("guideline")] += 1
            labels.setdefault(pair, []).append(told)
        return labels

    def _more(
        self,
        changed_at: object,
        flag: str,
        guideline: int | None,
        confidence: int | None,
        aspects: str | None,
        revealed_at: object,
        audited_at: object,
        again: int | None,
        why: str | None,
        again_at: object,
    ) -> Told:
        """What most labels do not have; it is left out where there is none."""
        told: Told = {"changed_at": changed_at, "flag": flag or None, "guideline": self._revisions.get(guideline)}
        told["confidence"] = confidence
        if aspects:
            told["aspects"] = {name: written(choice) for name, choice in orjson.loads(aspects).items()}
        told["revealed_at"], told["audited_at"] = revealed_at, audited_at
        if again is not None:
            self.counts.reconsidered += 1
            told["reconsidered"] = {"choice": written(again), "rationale": why, "at": again_at}
        return {name: value for name, value in told.items() if value is not None}

    def _late_of(self, pair_ids: list[int]) -> dict[int, list[Told]]:
        late: dict[int, list[Told]] = {}
        for pair, annotator, choice, rationale, seconds, swapped, at in rows(_LATE, [pair_ids]):
            told = {"annotator": self._people[annotator], "choice": written(choice), "rationale": rationale}
            late.setdefault(pair, []).append(told | {"seconds": seconds, "swapped": swapped, "at": at})
            self.counts.late_decisions += 1
        return late

    def _gold_of(self, pair_ids: list[int]) -> list[int | str | None]:
        """For each of these pairs; an empty list without a policy."""
        if self._gold is None:
            return []
        choices = self._gold.choices[np.searchsorted(self._gold.pair_ids, pair_ids)]
        return [None if choice < 0 else written(choice) for choice in choices.tolist()]
