"""People whose labels are left out of gold, and how many labels that are. The labels stay; agreement shows them."""

from dataclasses import dataclass

from annotation.models import Dataset, Label, Standing, User


@dataclass(frozen=True, slots=True)
class LeftOut:
    user: User
    labels: int
    note: str


def ids_left_out(dataset: Dataset) -> list[int]:
    return list(_standings(dataset).values_list("annotator", flat=True))


def names_left_out(dataset: Dataset) -> list[str]:
    found = _standings(dataset).order_by("annotator__username")
    return list(found.values_list("annotator__username", flat=True))


def people_left_out(dataset: Dataset) -> list[LeftOut]:
    found = _standings(dataset).select_related("annotator").order_by("annotator__username")
    labels = Label.objects.filter(pair__dataset=dataset)
    return [
        LeftOut(each.annotator, labels.filter(annotator=each.annotator).count(), each.left_out_note) for each in found
    ]


def _standings(dataset: Dataset):
    return Standing.objects.filter(dataset=dataset, left_out=True)
