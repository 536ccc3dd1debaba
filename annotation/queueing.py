"""Pairs that somebody wants people to label next: out of turn, and once more where they have all their labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from annotation.models import Adjudication, Control, Dataset, Slot

# More pairs than this at once are no selection any more: that is the order of the dataset, or its labels per pair.
MOST = 1000
OUT_OF_TURN = -2

# What exists is left as it is, so sending twice is sending once.
_FURTHER = """
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, rank)
SELECT pair_id, %(dataset)s, number, annotation_side(pair_id, number), 'free', %(rank)s
  FROM (SELECT pair.id AS pair_id, COALESCE(max(slot.number), 0) + 1 AS number
          FROM annotation_pair pair LEFT JOIN annotation_slot slot ON slot.pair_id = pair.id
         WHERE pair.id = ANY(%(pairs)s) AND pair.dataset_id = %(dataset)s GROUP BY pair.id) wanted
 ORDER BY pair_id
    ON CONFLICT DO NOTHING
"""


class QueueError(ValueError):
    """Nothing can be sent; the text says why, and what to do."""


@dataclass(frozen=True)
class Queue:
    """What sending would do, by ids of pairs.

    sooner: have open places, which come before all others. further: have all their labels, and get one place more.
    waiting: come next already, or are before somebody. adjudicated, controls: stay as they are.
    """

    sooner: list[int] = field(default_factory=list)
    further: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    adjudicated: list[int] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.sooner) + len(self.further)

    @property
    def known(self) -> str:
        """What a person was told, to be compared with what is so when they say yes."""
        return f"{len(self.sooner)}-{len(self.further)}"


def queue_of(*, dataset: Dataset, pair_ids: Sequence[int]) -> Queue:
    """What sending these pairs of the dataset would do. Raises QueueError where nobody can label them."""
    if not dataset.labels_per_pair:
        raise QueueError("This dataset wants no labels of people. Let a researcher raise its labels per pair first.")
    done = set(Adjudication.objects.filter(pair__in=pair_ids, current=True).values_list("pair", flat=True))
    known = set(Control.objects.filter(pair__in=pair_ids, active=True).values_list("pair", flat=True))
    places: dict[int, set[str]] = {}
    slots = Slot.objects.filter(pair__in=pair_ids, dataset=dataset).exclude(state=Slot.State.DONE)
    for pair, state, rank in slots.values_list("pair", "state", "rank"):
        places.setdefault(pair, set()).add("sooner" if state == Slot.State.FREE and rank >= 0 else "waiting")
    queue = Queue()
    for pair in pair_ids:
        found = places.get(pair, {"further"})
        open_to = "sooner" if "sooner" in found else next(iter(found))
        kind = "controls" if pair in known else "adjudicated" if pair in done else open_to
        getattr(queue, kind).append(pair)
    return queue


def send(*, dataset: Dataset, pair_ids: Sequence[int], known: str) -> Queue:
    """Have people label these pairs next. `known` is what was told: where that is not so any more nothing is done.

    Raises QueueError.
    """
    with transaction.atomic():
        # Against another who sends the same pairs, and against a change of the labels per pair.
        current = Dataset.objects.select_for_update().get(pk=dataset.pk)
        queue = queue_of(dataset=current, pair_ids=pair_ids)
        if queue.known != known:
            raise QueueError("People have labelled meanwhile, so these numbers are others now. Look at them again.")
        free = Slot.objects.filter(pair__in=queue.sooner, dataset=current, state=Slot.State.FREE)
        free.filter(rank__gte=0).update(rank=OUT_OF_TURN)
        with connection.cursor() as cursor:
            cursor.execute(_FURTHER, {"dataset": current.pk, "pairs": queue.further, "rank": OUT_OF_TURN})
    return queue
