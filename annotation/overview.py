"""What the first page tells: for each dataset how much is labelled, and for an annotator how much is theirs."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from annotation.models import ControlAnswer, Dataset, Label, Pair, Slot, Standing, User
from annotation.onboarding import barrier
from annotation.pools import Stop, stop_for
from annotation.rework_lists import waiting_by_dataset
from annotation.slots import labels_not_wanted


@dataclass(frozen=True, slots=True)
class DatasetOverview:
    """Counts are of rows, taken when asked for."""

    dataset: Dataset
    pairs: int
    labels: int
    labels_wanted: int


@dataclass(frozen=True, slots=True)
class OwnOverview:
    """An annotator's own part of a dataset."""

    dataset: Dataset
    labelled: int
    """Control pairs mixed in are among them: to their annotator they are pairs like any other."""
    open: bool
    """There is a slot that they may still take."""
    came_back: int
    """Their labels that they are asked to look at again."""
    barrier: Standing | None
    """What keeps them from labelling now."""
    stop: Stop | None
    """Why they get no pair, though there may be some."""

    @property
    def may_go_on(self) -> bool:
        return self.open and not self.barrier and not self.stop


def team_overview(*, user: User) -> list[DatasetOverview]:
    """All datasets that a reviewer sees, with pairs and labels counted."""
    datasets = list(Dataset.objects.visible_to(user))
    pairs = dict(Pair.objects.values_list("dataset").annotate(n=Count("id")))
    labels = dict(Label.objects.values_list("pair__dataset").annotate(n=Count("id")))
    less = labels_not_wanted()
    return [
        DatasetOverview(
            dataset=dataset,
            pairs=(n := pairs.get(dataset.pk, 0)),
            labels=labels.get(dataset.pk, 0),
            labels_wanted=n * dataset.labels_per_pair - less.get(dataset.pk, 0),
        )
        for dataset in datasets
    ]


def own_overview(*, user: User) -> list[OwnOverview]:
    """The datasets that this annotator labels."""
    datasets = list(Dataset.objects.labelled_by(user))
    came_back = waiting_by_dataset(user)
    done = Counter(dict(Slot.objects.done_by(user).values_list("dataset").annotate(n=Count("id"))))
    answers = ControlAnswer.objects.mixed_in().filter(annotator=user, attempt=1)
    done.update(dict(answers.values_list("control__pair__dataset").annotate(n=Count("id"))))
    return [
        OwnOverview(
            dataset,
            done[dataset.pk],
            Slot.objects.open_to(user=user, dataset=dataset).exists(),
            came_back.get(dataset.pk, 0),
            barrier(user=user, dataset=dataset),
            stop_for(user=user, dataset=dataset),
        )
        for dataset in datasets
    ]
