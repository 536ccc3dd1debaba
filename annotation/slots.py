"""Making slots: the room for labels that every pair of a dataset has."""

from django.db import connection, transaction

from annotation.models import Dataset
from annotation.ranks import rank_sql, whole

# annotation_side (migration 0012) is as good as random for slot 1, and alternates from there on. What exists is left as
# it is, so asking twice is asking once.
_MAKE = """
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, rank)
SELECT pair_id, %(dataset)s, number, annotation_side(pair_id, number), 'free', {rank}
  FROM (SELECT id AS pair_id FROM annotation_pair WHERE dataset_id = %(dataset)s) pair
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

# From here on kept plans are made anew (annotation/prepared.py): reading all of fewer slots is no matter.
_MANY = 10_000


def make_slots(*, dataset: Dataset) -> int:
    """Give each pair of the dataset its `labels_per_pair` slots, all free. Returns how many were missing."""
    if not dataset.labels_per_pair:
        return 0
    rank, sureness = rank_sql(dataset)
    with connection.cursor() as cursor:
        values = whole(dataset) | {"labels_per_pair": dataset.labels_per_pair}
        cursor.execute(_MAKE.format(rank=rank, sureness=sureness), values)
        made = cursor.rowcount
    if made >= _MANY:
        transaction.on_commit(_look_again)
    return made


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
