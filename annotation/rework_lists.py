"""Rework as its annotator and as reviewers read it."""

from dataclasses import dataclass

from django.db.models import Count

from annotation import rework
from annotation.labeling import in_other_terms
from annotation.models import Choice, Dataset, Rework, User
from annotation.models.rework import ReworkQuerySet

ROWS = 50


@dataclass(frozen=True)
class OwnRework:
    """What an annotator is asked about one of their pairs. said: their decision in the terms of what they saw."""

    rework: Rework
    said: Choice


@dataclass(frozen=True)
class OwnQueue:
    waiting: int
    rows: list[OwnRework]
    """The first of those that wait."""
    done: list[OwnRework]
    """What they decided last."""


@dataclass(frozen=True)
class ReworkCounts:
    open: int
    changed: int
    kept: int
    withdrawn: int
    overtaken: int
    """Undecided, but their annotator has seen what others, or a judge, said since: nobody is asked any more."""


def own_queue(annotator: User, *, dataset: Dataset) -> OwnQueue:
    """Nothing in it tells of other people's labels: the annotator reads this."""
    waiting = rework.waiting_for(annotator, dataset=dataset)
    decided = Rework.objects.of(annotator).in_dataset(dataset)
    done = decided.filter(outcome__in=[Rework.Outcome.KEPT, Rework.Outcome.CHANGED]).order_by("-done_at")
    return OwnQueue(waiting.count(), _own(waiting[:ROWS], annotator), _own(done[:10], annotator))


def _own(reworks: ReworkQuerySet, annotator: User) -> list[OwnRework]:
    rows = list(reworks.select_related("label__pair__prompt", "round__guideline"))
    slots = dict(annotator.slots.filter(pair__in=[row.label.pair_id for row in rows]).values_list("pair", "swapped"))
    return [OwnRework(row, in_other_terms(Choice(row.label.choice), swapped=_swapped(row, slots))) for row in rows]


def _swapped(row: Rework, slots: dict[int, bool]) -> bool:
    shown = row.label.shown_swapped
    return slots[row.label.pair_id] if shown is None else shown


def waiting_by_dataset(annotator: User) -> dict[int, int]:
    """How many pairs the annotator has to look at again, by dataset."""
    found = Rework.objects.open().of(annotator).order_by().values_list("dataset")
    return dict(found.annotate(n=Count("pk")))


def counts_of(reworks: ReworkQuerySet) -> ReworkCounts:
    """By what became of them."""
    ended = dict(reworks.order_by().values_list("outcome").annotate(n=Count("pk")))
    still_open = reworks.open().count()
    return ReworkCounts(
        open=still_open,
        changed=ended.get("changed", 0),
        kept=ended.get("kept", 0),
        withdrawn=ended.get("withdrawn", 0),
        overtaken=ended.get("", 0) - still_open,
    )


def of_state(reworks: ReworkQuerySet, state: str) -> ReworkQuerySet:
    """Those of one state: open, overtaken, or an outcome; all where it is empty."""
    if state == "open":
        return reworks.open()
    if state == "overtaken":
        return reworks.overtaken()
    return reworks.filter(outcome=state) if state else reworks
