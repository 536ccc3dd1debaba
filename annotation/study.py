"""How a study goes: what is done and remains, how fast it is, and what each person does. Counted when asked for.

Labels are grouped once, by person and hour and by person and duration; what is shown is made of these few thousand
groups. Days are those of the installation's time zone.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone

from annotation.models import Dataset, Quota, User
from annotation.pace import Pace, Projection, daily, pace, project
from annotation.skips import KEPT_BACK

# One pass over the labels for both groupings. Durations in tenths of a second: a median needs no more. Hours are cut by
# arithmetic, from a midnight of the installation on, since truncating in a zone takes as long as all the rest.
_LABELS = """
SELECT label.annotator_id, GROUPING(date_bin('1 hour', label.created_at, %(midnight)s)) = 0,
       date_bin('1 hour', label.created_at, %(midnight)s), round(label.seconds * 10)::bigint, count(*),
       count(*) FILTER (WHERE label.flag <> ''), max(label.changed_at)
  FROM annotation_label label JOIN annotation_pair pair ON pair.id = label.pair_id
 WHERE pair.dataset_id = %(dataset)s
 GROUP BY GROUPING SETS (
       (label.annotator_id, date_bin('1 hour', label.created_at, %(midnight)s)),
       (label.annotator_id, round(label.seconds * 10)::bigint))
"""
# Labels that came in a file were made elsewhere: they are done, and say nothing of the pace here.
_IMPORTED = """
SELECT slot.annotator_id, date_bin('1 hour', label.created_at, %(midnight)s), count(*)
  FROM annotation_slot slot JOIN annotation_label label USING (pair_id, annotator_id)
 WHERE slot.dataset_id = %(dataset)s AND slot.state = 'done' AND slot.annotator_id IS NOT NULL
   AND slot.claimed_at IS NULL
 GROUP BY 1, 2
"""
_SKIPS = """
SELECT skip.annotator_id, count(*), max(skip.created_at)
  FROM annotation_skip skip JOIN annotation_pair pair ON pair.id = skip.pair_id
 WHERE pair.dataset_id = %(dataset)s AND skip.reason <> ALL(%(kept_back)s) GROUP BY 1
"""
_OPEN = """
SELECT (SELECT count(*) FROM annotation_slot WHERE dataset_id = %(dataset)s AND state = 'free'),
       (SELECT count(*) FROM annotation_slot WHERE dataset_id = %(dataset)s AND state = 'claimed'),
       (SELECT count(*) FROM annotation_slot
         WHERE dataset_id = %(dataset)s AND state = 'claimed' AND expires_at >= now()),
       (SELECT count(*) FROM annotation_latedecision late JOIN annotation_pair pair ON pair.id = late.pair_id
         WHERE pair.dataset_id = %(dataset)s)
"""


@dataclass(slots=True)
class Person:
    """One annotator. `median_seconds` is None where no label has a duration; `quota` where there is none."""

    user: User
    labels: int = 0
    imported: int = 0
    flags: int = 0
    skips: int = 0
    share: float = 0.0
    median_seconds: float | None = None
    last_active: datetime | None = None
    quota: int | None = None
    by_day: dict[date, int] = field(default_factory=dict)

    @property
    def quota_left(self) -> int | None:
        return None if self.quota is None else max(self.quota - self.labels, 0)


@dataclass(frozen=True, slots=True)
class Study:
    """Labels: done (imported ones among them), and wanted but not there yet. `held` are slots somebody has open.

    `days` has every day from the first label made here until today; `recent` labels of the last days, newest first.
    """

    dataset: Dataset
    made_at: datetime
    done: int
    imported: int
    remaining: int
    held: int
    late: int
    people: list[Person]
    days: list[date]
    recent: list[int]
    pace: Pace
    projection: Projection | None

    @property
    def wanted(self) -> int:
        return self.done + self.remaining

    @property
    def percent(self) -> float:
        return 100 * self.done / self.wanted if self.wanted else 0.0

    def totals(self) -> list[tuple[date, int, int]]:
        """(day, labels made here on it, all labels until its end), a row a day."""
        made = [sum(person.by_day.get(day, 0) for person in self.people) for day in self.days]
        so_far = accumulate(made, initial=self.done - sum(made))
        next(so_far)
        return list(zip(self.days, made, so_far, strict=True))


def study_of(dataset: Dataset) -> Study:
    """The numbers as the rows are now."""
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"dataset": dataset.pk, "midnight": midnight, "kept_back": KEPT_BACK}
    by_hour: dict[tuple[int, datetime], int] = defaultdict(int)
    people = _people(dataset)
    _read_labels(values, people, by_hour)
    _read_skips(values, people)
    hours = np.array([hour.timestamp() for (_, hour), n in by_hour.items() if n])
    counts = np.array([n for n in by_hour.values() if n], dtype=np.int64)
    [(free, claimed, held, late)] = _rows(_OPEN, values)
    done = sum(person.labels for person in people.values())
    for person in people.values():
        person.share = person.labels / done if done else 0.0
        person.quota = dataset.quota if person.quota is None else person.quota
    recent = daily(hours, counts, now=now.timestamp())
    return Study(
        dataset=dataset,
        made_at=now,
        done=done,
        imported=sum(person.imported for person in people.values()),
        remaining=free + claimed,
        held=held,
        late=late,
        people=sorted(people.values(), key=lambda person: (-person.labels, person.user.username)),
        days=_days(by_hour, people, now),
        recent=recent.tolist(),
        pace=pace(hours, counts, now=now.timestamp()),
        projection=project(recent, remaining=free + claimed, now=now),
    )


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


class _People(dict[int, Person]):
    """By id; whoever turns up is added. The team is read at once, because it is small."""

    def __init__(self) -> None:
        self._team: dict[int, User] = User.objects.in_bulk()

    def __missing__(self, pk: int) -> Person:
        self[pk] = Person(self._team[pk])
        return self[pk]


def _people(dataset: Dataset) -> _People:
    """Those who are named for the dataset or have a quota of their own."""
    people = _People()
    named = [] if dataset.everyone_labels else dataset.annotators.values_list("pk", flat=True)
    for pk in named:
        people[pk].quota = dataset.quota
    for pk, labels in Quota.objects.filter(dataset=dataset).values_list("annotator", "labels"):
        people[pk].quota = labels
    return people


def _read_labels(values: dict[str, Any], people: _People, by_hour: dict[tuple[int, datetime], int]) -> None:
    durations: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pk, is_hour, hour, tenths, n, flags, active in _rows(_LABELS, values):
        if is_hour:
            by_hour[pk, hour] = n
            person = people[pk]
            person.labels += n
            person.flags += flags
            person.last_active = max(filter(None, (person.last_active, active)))
        elif tenths is not None:
            durations[pk].append((tenths, n))
    for pk, hour, n in _rows(_IMPORTED, values):
        by_hour[pk, hour] -= n
        people[pk].imported += n
    for pk, found in durations.items():
        people[pk].median_seconds = _median(found) / 10


def _median(counted: list[tuple[int, int]]) -> float:
    """Of values that each occur a number of times."""
    counted = sorted(counted)
    values = np.array([value for value, _ in counted])
    up_to = np.cumsum([n for _, n in counted])
    low, high = np.searchsorted(up_to, [(up_to[-1] + 1) // 2, up_to[-1] // 2 + 1])
    return float(values[low] + values[high]) / 2


def _read_skips(values: dict[str, Any], people: _People) -> None:
    for pk, n, at in _rows(_SKIPS, values):
        person = people[pk]
        person.skips = n
        person.last_active = max(filter(None, (person.last_active, at)))


def _days(by_hour: dict[tuple[int, datetime], int], people: _People, now: datetime) -> list[date]:
    """Every day from the first label made here until today, with each person's labels of the day put down."""
    zone = timezone.get_default_timezone()
    for (pk, hour), n in by_hour.items():
        if n:
            day = hour.astimezone(zone).date()
            people[pk].by_day[day] = people[pk].by_day.get(day, 0) + n
    first = min((day for person in people.values() for day in person.by_day), default=None)
    if first is None:
        return []
    last = now.astimezone(zone).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
