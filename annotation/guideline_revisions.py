"""The revisions of a dataset's guidelines: what each says, what changed, and the labels that were made by it."""

from dataclasses import dataclass
from itertools import zip_longest

from django.db.models import Count

from annotation.differences import Piece, differences
from annotation.models import Dataset, Guideline, Label
from annotation.rework_rounds import NO_REVISION


@dataclass(frozen=True)
class RevisionRow:
    guideline: Guideline
    labels: int
    previous: int | None
    """The number of the revision before it."""


@dataclass(frozen=True)
class Change:
    """From one revision to another: both texts in pieces."""

    before: Guideline
    after: Guideline
    old: list[Piece]
    new: list[Piece]


def label_counts(dataset: Dataset) -> dict[int, int]:
    """How many labels were made by each revision, by its number; NO_REVISION for those made without guidelines."""
    labels = Label.objects.filter(pair__dataset=dataset).order_by()
    found = labels.values_list("guideline__number").annotate(n=Count("pk"))
    return {NO_REVISION if number is None else number: n for number, n in found}


def revisions_of(dataset: Dataset, counts: dict[int, int]) -> list[RevisionRow]:
    """The newest first."""
    revisions = list(dataset.guidelines.select_related("created_by"))
    older = [each.number for each in revisions[1:]]
    return [RevisionRow(each, counts.get(each.number, 0), before) for each, before in zip_longest(revisions, older)]


def change_between(dataset: Dataset, *, before: int, after: int) -> Change:
    """Raises Guideline.DoesNotExist where there is no such revision."""
    old, new = dataset.guidelines.get(number=before), dataset.guidelines.get(number=after)
    return Change(old, new, *differences(old.text, new.text))
