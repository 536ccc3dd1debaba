"""What speaks against a label before anybody has looked at it. Each sign is weak; together they say where to look."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from psycopg.sql import SQL, Composable, Literal

from annotation.columns import columns
from annotation.models import Choice
from judging.audits.confident import label_quality
from judging.audits.reasons import contradiction
from judging.label_signs import CONFLICT, EMPTY, IDENTICAL
from judging.models import JudgeRun

# ruff: noqa: S608 - the statements are put together of the texts in judging.label_signs.

Found = Iterator[tuple[int, int, int, float, str]]
"""(verdict, pair, choice, how much of the sign's weight, in words)"""

Tell = Callable[[int, int, str], None]
"""(signs done, signs in all, what is being looked for)"""

_LABELS = "FROM judging_verdict v WHERE v.run_id = {run} AND NOT v.swapped AND v.choice IS NOT NULL"


@dataclass(slots=True)
class Suspect:
    """A label with all that speaks against it."""

    verdict_id: int
    pair_id: int
    choice: int
    score: float = 0.0
    signals: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Signal:
    title: str
    weight: float
    find: Callable[[JudgeRun, JudgeRun | None], Found]


def rank_suspects(
    *, run: JudgeRun, signals: Sequence[str], probabilities: JudgeRun | None, tell: Tell | None = None
) -> tuple[list[Suspect], dict[str, Any]]:
    """All labels with at least one of the signs, the most suspicious first, and the recipe that made the order.

    `tell` is called before each sign.
    """
    suspects: dict[int, Suspect] = {}
    counts = {}
    for done, name in enumerate(signals):
        signal = SIGNALS[name]
        if tell:
            tell(done, len(signals), signal.title)
        counts[name] = 0
        for verdict_id, pair_id, choice, share, words in signal.find(run, probabilities):
            suspect = suspects.setdefault(verdict_id, Suspect(verdict_id, pair_id, choice))
            suspect.score += signal.weight * share
            suspect.signals.append({"kind": name, "words": words})
            counts[name] += 1
    ranked = sorted(suspects.values(), key=lambda each: (-each.score, each.pair_id))
    recipe = {
        "signals": {name: {"weight": SIGNALS[name].weight, "labels": counts[name]} for name in signals},
        "probabilities": probabilities and {"run": probabilities.pk, "judge": probabilities.judge.name},
    }
    return ranked, recipe


def other_runs(run: JudgeRun) -> list[JudgeRun]:
    """The newest run of each other judge on the dataset."""
    runs = JudgeRun.objects.filter(dataset=run.dataset_id).exclude(judge=run.judge_id).select_related("judge")
    return list(runs.order_by("judge_id", "-pk").distinct("judge_id"))


def _contradictions(run: JudgeRun, _other: JudgeRun | None) -> Found:
    query = SQL("SELECT v.id, v.pair_id, v.choice, v.reason " + _LABELS + " AND v.reason <> ''").format(
        run=Literal(run.pk)
    )
    for verdict_id, pair_id, choice, reason in _rows(query):
        if claim := contradiction(reason=reason, choice=Choice(choice)):
            yield verdict_id, pair_id, choice, 1.0, f"The reason says “{claim.words}”, the label says {_said(choice)}."


def _identical(run: JudgeRun, _other: JudgeRun | None) -> Found:
    query = SQL(f"SELECT id, pair_id, choice FROM ({IDENTICAL}) AS found WHERE choice <> 0").format(run=Literal(run.pk))
    for row in _rows(query):
        yield *row, 1.0, f"Both responses are the same text, the label says {_said(row[2])}."


def _empty(run: JudgeRun, _other: JudgeRun | None) -> Found:
    query = SQL(
        f"SELECT id, pair_id, choice, one, two FROM ({EMPTY}) AS label"
        " WHERE CASE choice WHEN 1 THEN one WHEN 2 THEN two WHEN 0 THEN one <> two END"
    ).format(run=Literal(run.pk))
    for verdict_id, pair_id, choice, one, two in _rows(query):
        which = "Both responses are" if one and two else f"Response {1 if one else 2} is"
        yield verdict_id, pair_id, choice, 1.0, f"{which} empty, the label says {_said(choice)}."


def _conflicts(run: JudgeRun, _other: JudgeRun | None) -> Found:
    query = SQL(f"SELECT id, pair_id, choice, turned FROM ({CONFLICT}) AS found").format(run=Literal(run.pk))
    for verdict_id, pair_id, choice, turned in _rows(query):
        yield verdict_id, pair_id, choice, 1.0, f"In the other order the judge says {_said(turned)}."


def _disagreements(run: JudgeRun, _other: JudgeRun | None) -> Found:
    others = other_runs(run)
    if not others:
        return
    query = SQL(
        "SELECT v.id, v.pair_id, v.choice, count(*), count(*) FILTER (WHERE other.choice <> v.choice)"
        " FROM judging_verdict v JOIN judging_verdict other"
        " ON other.pair_id = v.pair_id AND other.run_id = ANY({others})"
        " AND NOT other.swapped AND other.choice IS NOT NULL"
        " WHERE v.run_id = {run} AND NOT v.swapped AND v.choice IS NOT NULL GROUP BY v.id"
        " HAVING count(*) FILTER (WHERE other.choice <> v.choice) > 0"
    ).format(run=Literal(run.pk), others=Literal([each.pk for each in others]))
    for verdict_id, pair_id, choice, judged, differ in _rows(query):
        words = f"{differ} of {judged} other judge{'s say' if judged > 1 else ' says'} something else."
        yield verdict_id, pair_id, choice, differ / judged, words


def _unlikely(run: JudgeRun, other: JudgeRun | None) -> Found:
    if other is None:
        return
    rows = columns(
        "SELECT v.id, v.pair_id, v.choice, other.p_tie, other.p_1, other.p_2 FROM judging_verdict v"
        " JOIN judging_verdict other ON other.run_id = %s AND other.pair_id = v.pair_id AND NOT other.swapped"
        " WHERE v.run_id = %s AND NOT v.swapped AND v.choice IS NOT NULL AND other.p_1 IS NOT NULL ORDER BY v.pair_id",
        [other.pk, run.pk],
        {"id": "bigint", "pair_id": "bigint", "choice": "smallint"} | dict.fromkeys(("p_tie", "p_1", "p_2"), "float8"),
    )
    if not len(rows):
        return
    # A choice is stored as 0 for a tie, 1 and 2: the order of these columns.
    found = label_quality(rows["choice"], np.column_stack([rows[name] for name in ("p_tie", "p_1", "p_2")]))
    for at in np.flatnonzero(found.issue):
        quality = float(found.quality[at])
        words = (
            f"{other.judge} gives the label a probability of {quality:.2f} and is confident of"
            f" {_said(int(found.suggested[at]))}."
        )
        yield int(rows["id"][at]), int(rows["pair_id"][at]), int(rows["choice"][at]), 1 - quality, words


SIGNALS: Mapping[str, Signal] = {
    "contradiction": Signal("The reason contradicts the label", 4, _contradictions),
    "identical": Signal("The responses are the same text, yet one is called better", 4, _identical),
    "empty": Signal("A response is empty, and the label does not say so", 4, _empty),
    "unlikely": Signal("Another judge's probabilities speak against the label (confident learning)", 3, _unlikely),
    "judges": Signal("Other judges say something else", 2, _disagreements),
    "conflict": Signal("In the other order the judge says something else", 1, _conflicts),
}


def _said(choice: int) -> str:
    return Choice(choice).label.lower()


def _rows(query: Composable) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        while chunk := cursor.fetchmany(10_000):
            yield from chunk
