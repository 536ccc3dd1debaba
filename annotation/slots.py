"""Making slots: the room for labels that every pair of a dataset has, but those of which the answer is known."""

from django.db import connection, transaction

from annotation.models import Dataset
from annotation.ranks import rank_sql, whole

# annotation_side (migrations 0012 and 0022) is as good as random for slot 1, and alternates from there on. What exists
# is left as it is, so asking twice is asking once.
_MAKE = """
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, rank)
SELECT pair_id, %(dataset)s, number, annotation_side(pair_id, number), 'free', {rank}
  FROM (SELECT id AS pair_id FROM annotation_pair
         WHERE dataset_id = %(dataset)s AND id BETWEEN %(first)s AND %(last)s
           AND id NOT IN (SELECT pair_id FROM annotation_control WHERE active)) pair
 CROSS JOIN generate_series(1, %(labels_per_pair)s) AS wanted(number)
  LEFT JOIN ({sureness}) judged USING (pair_id)
 WHERE NOT EXISTS (SELECT FROM annotation_slot s WHERE s.pair_id = pair.pair_id AND s.number = wanted.number)
 ORDER BY pair_id, number
    ON CONFLICT DO NOTHING
"""
# What a trigger does when a label makes a pair split (migration 0012), done for the splits that are there. Labels of
# split pairs share a lock on the dataset: this waits for those under way, and those after it see the setting.
_ASK_FURTHER = """
SELECT annotation_ask_further(ARRAY(SELECT pair_id FROM annotation_split WHERE dataset_id = %s))
"""

_NOT_WANTED = """
SELECT pair.dataset_id, sum(GREATEST(dataset.labels_per_pair - slots.n, 0))
  FROM annotation_pair pair JOIN annotation_dataset dataset ON dataset.id = pair.dataset_id
 CROSS JOIN LATERAL (SELECT count(*) AS n FROM annotation_slot slot WHERE slot.pair_id = pair.id) slots
 WHERE pair.id IN (SELECT pair_id FROM annotation_control WHERE active)
 GROUP BY pair.dataset_id
"""

# From here on kept plans are made anew (annotation/prepared.py): reading all of fewer slots is no matter.
_MANY = 10_000


def make_slots(*, dataset: Dataset, pair_id: int | None = None) -> int:
    """Give each pair of the dataset, or this one, its `labels_per_pair` slots, all free.

    Control pairs want no labels and get none. Returns how many slots were missing.
    """
    if not dataset.labels_per_pair:
        return 0
    rank, sureness = rank_sql(dataset)
    with connection.cursor() as cursor:
        values = whole(dataset) | {"labels_per_pair": dataset.labels_per_pair}
        if pair_id:
            values |= {"first": pair_id, "last": pair_id}
        cursor.execute(_MAKE.format(rank=rank, sureness=sureness), values)
        made = cursor.rowcount
    if made >= _MANY:
        transaction.on_commit(_look_again)
    return made


def labels_not_wanted() -> dict[int, int]:
    """By id of a dataset: how many labels less it wants than `labels_per_pair` of each pair, for its control pairs."""
    with connection.cursor() as cursor:
        cursor.execute(_NOT_WANTED)
        return {dataset: int(labels) for dataset, labels in cursor.fetchall()}


def ask_further(*, dataset: Dataset) -> None:
    """Make the further slots of pairs on which people differ already, up to `labels_on_split`, out of turn."""
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        with connection.cursor() as cursor:
            cursor.execute(_ASK_FURTHER, [dataset.pk])


def _look_again() -> None:
    """Let PostgreSQL see at once how much there is. By itself it looks after a minute, and plans for what it saw."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_prompt, annotation_response, annotation_pair, annotation_slot")
