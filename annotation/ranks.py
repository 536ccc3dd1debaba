"""Whose turn it is: the rank of a free slot, from the lowest up. One index finds the next one.

Plain order gives all slots the same rank, and the pair's id decides. "Fewest labels first" ranks by a slot's number, so
that all first slots come before all second ones. "Uncertain" ranks by how sure a judge is of the pair; what no judge
has probabilities for comes last. Where the order is shuffled each such level is a ring of shuffled pairs, on which
every annotator has a beginning of their own (annotation/assignment.py). Below zero is what is out of turn.

How sure judges are is known to the package that keeps verdicts. It registers itself here, because this one must not
know it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

from django.db import connection
from django.utils import timezone

from annotation.models import Dataset, Slot

# ruff: noqa: S608 - the statements are put together from those of this package and of the one that registers itself.

RING = 2**40
# Of how sure a judge is: as finely as it is told, or in as many steps, so that each has enough pairs to be shuffled.
FINE, STEPS = 1_000_000, 20
# While a batch is stored its free slots are passed over by who claims: short, so that nobody finds nothing.
BATCH = 1_000
_LAST_ID = 2**63 - 1

_SHUFFLE = "('x' || left(md5(pair_id || ':' || %(dataset)s), 10))::bit(40)::bigint"


class Sureness(Protocol):
    def query(self, *, dataset: Dataset) -> str | None:
        """A query of (pair_id, sureness from 0 to 1) over the pairs from %(first)s to %(last)s, by the newest judge
        run with probabilities; None where there is none."""


_registered: list[Sureness] = []


def register(source: Sureness) -> None:
    _registered[:] = [source]


def rank_sql(dataset: Dataset) -> tuple[str, str]:
    """A slot's rank as an expression of `pair_id`, `number` and `sureness`, and the query that gives the latter.

    Both take %(dataset)s, %(first)s and %(last)s, the ids of the pairs in question.
    """
    sureness = "SELECT NULL::bigint AS pair_id, NULL::float AS sureness WHERE false"
    level = "0"
    if dataset.pair_order == Dataset.PairOrder.FEWEST:
        level = "number - 1"
    elif dataset.pair_order == Dataset.PairOrder.UNCERTAIN:
        sureness = (_registered and _registered[0].query(dataset=dataset)) or sureness
        steps = STEPS if dataset.shuffled else FINE
        level = f"COALESCE(floor({steps} * sureness), {steps + 1})::bigint"
    return (f"({level})::bigint * {RING} + {_SHUFFLE}" if dataset.shuffled else level), sureness


def whole(dataset: Dataset) -> dict[str, object]:
    """The values for all pairs of the dataset."""
    return {"dataset": dataset.pk, "first": 0, "last": _LAST_ID}


def batches(dataset: Dataset) -> Iterator[tuple[int, int]]:
    """First and last id of every so many pairs that have slots not filled yet."""
    opened = Slot.objects.filter(dataset=dataset).exclude(state=Slot.State.DONE)
    ids = list(opened.order_by("pair").values_list("pair", flat=True).distinct())
    bounds = [*ids[::BATCH], ids[-1] + 1] if ids else []
    yield from ((first, following - 1) for first, following in pairwise(bounds))


def renew(*, dataset: Dataset, first: int, last: int, rule: tuple[str, str]) -> int:
    """Make the ranks of a batch as `rank_sql(dataset)` says. Returns how many were others before."""
    rank, sureness = rule
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE annotation_slot slot SET rank = wanted.rank
              FROM (SELECT id, {rank} AS rank
                      FROM annotation_slot LEFT JOIN ({sureness}) judged USING (pair_id)
                     WHERE dataset_id = %(dataset)s AND pair_id BETWEEN %(first)s AND %(last)s
                       AND state <> 'done' AND rank >= 0) wanted
             WHERE slot.id = wanted.id AND slot.state <> 'done' AND slot.rank <> wanted.rank
            """,
            {"dataset": dataset.pk, "first": first, "last": last},
        )
        return cursor.rowcount


def renewed(*, dataset: Dataset) -> None:
    """From now on everybody begins anew: where they were says nothing of where they are in the new order."""
    Dataset.objects.filter(pk=dataset.pk).update(ranked_at=timezone.now())
