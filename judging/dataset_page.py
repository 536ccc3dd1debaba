"""What a dataset's page shows: how far it is, how people agree, and what was done with it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np
from django.db.models import Count
from django.utils import timezone

from annotation.agreement import Measure
from annotation.left_out import ids_left_out
from annotation.models import Dataset, Label, User
from annotation.slots import labels_not_wanted
from judging import charts
from judging.models import JudgeRun
from judging.scores import leaderboard
from judging.scores.evidence import Evidence, read_people
from judging.scores.keeping import content_of, kept
from judging.scores.scoring import Humans, humans_of

CHOICES = ["tie", "1", "2"]
RUNS_SHOWN = 20


@dataclass(frozen=True)
class PersonRow:
    """One annotator: choices are counts of tie, 1, 2; accuracy is against the majority of the others."""

    user: User
    n: int
    choices: list[int]
    first_share: Measure
    accuracy: Measure


@dataclass(frozen=True)
class TwoPeople:
    """How two people's labels of the same pairs fall. rows: (what a said, what b said, count) in rows of a."""

    a: User
    b: User
    kappa: Measure
    rows: list[tuple[str, list[tuple[str, int]]]]


@dataclass(frozen=True)
class DatasetNumbers:
    """labels and fully_labelled are of all labels: they tell how far labelling is. The others are without labels that
    are left out of gold.
    """

    pairs: int
    prompts: int
    labels: int
    wanted: int
    fully_labelled: int
    choices: list[int]
    adjudicated: int
    humans: Humans
    people: list[PersonRow]
    two: list[TwoPeople]
    made_at: datetime

    @property
    def remaining(self) -> int:
        return max(self.wanted - self.labels, 0)

    @property
    def distribution(self) -> list[tuple[str, int, str, str]]:
        """(choice, labels, where its part of a bar of 100 begins, how wide it is), in the order 1, tie, 2."""
        order = [1, 0, 2]
        shares = np.array([100 * self.choices[choice] / max(sum(self.choices), 1) for choice in order])
        starts = np.cumsum(shares) - shares
        return [
            (CHOICES[choice], self.choices[choice], f"{start:.2f}", f"{share:.1f}")
            for choice, start, share in zip(order, starts, shares, strict=True)
        ]

    @property
    def agreement(self) -> list[tuple[str, Measure]]:
        titles = {
            "raw_agreement": "Raw agreement",
            "fleiss_kappa": "Fleiss' kappa",
            "krippendorff_alpha": "Krippendorff's alpha",
        }
        return [(title, self.humans.agreement[name]) for name, title in titles.items()]

    @property
    def matrix_figure(self) -> charts.Figure | None:
        known = {key: measure.value for key, measure in self.humans.cohen.items()}
        if not any(value is not None for value in known.values()):
            return None
        return charts.agreement_matrix([person.user.get_username() for person in self.people], known)


def numbers_of(*, dataset: Dataset, wait: bool) -> DatasetNumbers | None:
    """The numbers, or None where they take long to make and the caller would not wait.

    The rows are read each time; what was made of just these is kept.
    """
    if not wait and leaderboard.has_many(dataset):
        return None
    evidence = read_people(dataset)
    less = labels_not_wanted().get(dataset.pk, 0)
    made = _made(dataset) if ids_left_out(dataset) else None
    name = ":".join(str(part) for part in ("dataset-numbers", dataset.pk, less, *(made or ())))
    return kept(name, content_of(evidence), lambda: arrange(evidence, less, made))


def _made(dataset: Dataset) -> tuple[int, int]:
    """Labels, and pairs that have as many as are wanted, with those that are left out of gold."""
    by_pair = Label.objects.filter(pair__dataset=dataset).values("pair").annotate(n=Count("pk")).order_by()
    return sum(by_pair.values_list("n", flat=True)), by_pair.filter(n__gte=max(dataset.labels_per_pair, 1)).count()


def arrange(evidence: Evidence, less: int, made: tuple[int, int] | None = None) -> DatasetNumbers:
    """The numbers; `less` labels are not wanted, of control pairs. made: as _made, where evidence lacks labels."""
    humans = humans_of(evidence)
    a_pair = np.bincount(evidence.label_pairs, minlength=evidence.n_pairs)
    wanted = evidence.dataset.labels_per_pair
    size = len(evidence.annotators)
    by_person = np.bincount(evidence.label_raters * 3 + evidence.label_choices, minlength=size * 3).reshape(size, 3)
    return DatasetNumbers(
        pairs=evidence.n_pairs,
        prompts=len(np.unique(evidence.prompts)),
        labels=made[0] if made else len(evidence.label_pairs),
        wanted=evidence.n_pairs * wanted - less,
        fully_labelled=(made[1] if made else int((a_pair >= wanted).sum())) if wanted else 0,
        choices=np.bincount(evidence.label_choices, minlength=3).tolist(),
        adjudicated=int((evidence.adjudications >= 0).sum()),
        humans=humans,
        people=[
            PersonRow(person.user, person.n, counts.tolist(), person.first_share, person.against_others["accuracy"])
            for person, counts in zip(humans.people, by_person, strict=True)
        ],
        two=[_two_people(humans, a, b) for a, b in combinations(range(size), 2)],
        made_at=timezone.now(),
    )


def _two_people(humans: Humans, a: int, b: int) -> TwoPeople:
    table = humans.between[a, b]
    rows = [(CHOICES[i], [(CHOICES[j], table[i][j]) for j in range(3)]) for i in range(3)]
    return TwoPeople(humans.people[a].user, humans.people[b].user, humans.cohen[a, b], rows)


def runs_of(dataset: Dataset) -> list[JudgeRun]:
    return list(JudgeRun.objects.filter(dataset=dataset).select_related("judge", "job")[:RUNS_SHOWN])
