"""The people of a dataset as reviewers see them: where each stands, how right and how fast."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from annotation import clusters
from annotation.models import Control, ControlAnswer, Dataset, Role, Standing, User
from annotation.onboarding import has_round

_SPEED = """
SELECT label.annotator_id, count(*), count(label.seconds), count(*) FILTER (WHERE label.seconds < %(least)s),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY label.seconds)
  FROM annotation_label label JOIN annotation_pair pair ON pair.id = label.pair_id
 WHERE pair.dataset_id = %(dataset)s
 GROUP BY label.annotator_id
"""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of n, with Wilson's interval for answers that share prompts."""

    right: int
    n: int
    low: float
    high: float

    @property
    def percent(self) -> float:
        return 100 * self.right / self.n

    @property
    def low_percent(self) -> float:
        return 100 * self.low

    @property
    def high_percent(self) -> float:
        return 100 * self.high


@dataclass(frozen=True, slots=True)
class PersonStanding:
    """controls: of mixed-in pairs, None without answers. too_fast: of timed labels, those under least_seconds."""

    user: User
    standing: Standing
    qualification: Share | None
    controls: Share | None
    labels: int
    timed: int
    too_fast: int
    median_seconds: float | None
    qualifies: bool
    """The dataset has a qualification round, which keeps from labelling who has not passed it."""
    asked: bool
    """They are among the annotators who label the dataset, which they may have been before."""

    @property
    def words(self) -> str:
        """Their standing; whoever has nothing to learn is not said to be learning."""
        if self.standing.state != Standing.State.LEARNING:
            return self.standing.get_state_display()
        if self.qualifies:
            return "Has labelled, not qualified yet" if self.labels else self.standing.get_state_display()
        if self.labels:
            return "Has labelled"
        return "May label" if self.asked else "Has not labelled"

    @property
    def too_fast_percent(self) -> float:
        return 100 * self.too_fast / self.timed if self.timed else 0.0


def standings_of(dataset: Dataset) -> list[PersonStanding]:
    """Everybody who labels the dataset, or has a standing or labels in it, by name."""
    standings = {each.annotator_id: each for each in Standing.objects.filter(dataset=dataset)}
    speeds = _speeds(dataset)
    asked = set(_asked(dataset).values_list("pk", flat=True))
    people = set(standings) | set(speeds) | asked
    mixed = _shares(_latest(dataset, Control.Use.MIXED))
    rounds = [
        row
        for row in _latest(dataset, Control.Use.QUALIFICATION)
        if row["attempt"] == (standings[row["annotator"]].attempt if row["annotator"] in standings else 1)
    ]
    qualified = _shares(rounds)
    qualifies = has_round(dataset)
    return [
        PersonStanding(
            user,
            standings.get(user.pk) or Standing(dataset=dataset, annotator=user),
            qualified.get(user.pk),
            mixed.get(user.pk),
            *speeds.get(user.pk, (0, 0, 0, None)),
            qualifies,
            user.pk in asked,
        )
        for user in User.objects.filter(pk__in=people).order_by("username")
    ]


def _asked(dataset: Dataset):
    people = User.objects.filter(role=Role.ANNOTATOR, is_active=True)
    return people if dataset.everyone_labels else people.filter(datasets=dataset)


def _speeds(dataset: Dataset) -> dict[int, tuple[int, int, int, float | None]]:
    with connection.cursor() as cursor:
        cursor.execute(_SPEED, {"dataset": dataset.pk, "least": dataset.least_seconds or 0})
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _latest(dataset: Dataset, use: str) -> list[dict[str, Any]]:
    """The newest answer of each person to each control: an answer that was changed counts as it is now."""
    answers = ControlAnswer.objects.filter(control__pair__dataset=dataset, control__use=use)
    newest = answers.order_by("annotator_id", "control_id", "-attempt").distinct("annotator_id", "control_id")
    return list(newest.values("annotator", "right", "attempt", "control__pair__prompt"))


def _shares(rows: list[dict[str, Any]]) -> dict[int, Share]:
    if not rows:
        return {}
    people, groups = np.unique([row["annotator"] for row in rows], return_inverse=True)
    prompts = np.unique([row["control__pair__prompt"] for row in rows], return_inverse=True)[1]
    hits = np.array([row["right"] for row in rows], dtype=bool)
    _, low, high = clusters.shares(hits=hits, groups=groups, prompts=prompts, n_groups=len(people))
    n, right = np.bincount(groups), np.bincount(groups, weights=hits)
    return {
        int(person): Share(int(right[at]), int(n[at]), float(low[at]), float(high[at]))
        for at, person in enumerate(people)
    }
