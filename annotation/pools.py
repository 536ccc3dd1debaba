"""Who may label a dataset, and how much: its pool of annotators, and quotas.

The claim itself keeps to the quota (annotation/assignment.py); here it is set, and told.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from django.db import transaction

from annotation.models import Dataset, Quota, Role, Slot, User


class Stop(StrEnum):
    """Why an annotator gets no pair, though there may be some."""

    QUOTA = "quota"
    """They have given as many labels as was asked of them."""
    REMOVED = "removed"
    """They labelled here and are no longer among the dataset's annotators."""


def quota_of(*, user: User, dataset: Dataset) -> int | None:
    """How many labels of the dataset this person may give: what is set for them, else for all; None without limit."""
    own = Quota.objects.filter(dataset=dataset, annotator=user).values_list("labels", flat=True).first()
    return dataset.quota if own is None else own


def stop_for(*, user: User, dataset: Dataset) -> Stop | None:
    """To be asked where no pair came, or where the person does not label the dataset."""
    given = Slot.objects.done_by(user).filter(dataset=dataset)
    if not dataset.is_labelled_by(user):
        return Stop.REMOVED if given.exists() else None
    quota = quota_of(user=user, dataset=dataset)
    return Stop.QUOTA if quota is not None and given.count() >= quota else None


def whom_to_ask() -> list[str]:
    """Names of people who set pools and quotas, a few of them."""
    people = User.objects.filter(role=Role.RESEARCHER, is_active=True).order_by("username")[:3]
    return [person.get_full_name() or person.username for person in people]


def set_pool(*, dataset: Dataset, everyone: bool, annotators: Iterable[User]) -> None:
    """Every annotator labels the dataset, or only these. Who does so no longer keeps their labels and no claim."""
    with transaction.atomic():
        Dataset.objects.filter(pk=dataset.pk).update(everyone_labels=everyone)
        dataset.everyone_labels = everyone
        dataset.annotators.set(annotators)
        if not everyone:
            claimed = Slot.objects.filter(dataset=dataset, state=Slot.State.CLAIMED)
            claimed.exclude(annotator__in=dataset.annotators.all()).set_free()


def set_quotas(*, dataset: Dataset, labels: Mapping[User, int]) -> None:
    """The quotas of single people, in place of those that there were."""
    with transaction.atomic():
        dataset.quotas.exclude(annotator__in=labels).delete()
        Quota.objects.bulk_create(
            [Quota(dataset=dataset, annotator=person, labels=number) for person, number in labels.items()],
            update_conflicts=True,
            unique_fields=["dataset", "annotator"],
            update_fields=["labels"],
        )
