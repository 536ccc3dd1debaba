"""How far an annotator is in a dataset. What is costly to count is counted rarely, and never stored beside the rows."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.core.cache import cache
from django.db.models import Count, Q

from annotation import prepared
from annotation.models import ControlAnswer, Dataset, Slot, User
from annotation.pools import quota_of

# A count is used for a thousand times as long as it took: however large a dataset is, counting for one person at work
# costs a thousandth of the database's time. In between only what is newer is read, and added to the count.
_USED_FOR = 1000
_AT_LEAST_SECONDS = 60
_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_ADDED_FROM = 10


# By hand, because it is asked for every label.
_LABELLED_SINCE = """
SELECT pair_id, claimed_at FROM annotation_slot
 WHERE annotator_id = %s AND dataset_id = %s AND claimed_at > %s AND state = 'done'
 ORDER BY claimed_at DESC
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """Pairs: labelled by the annotator, and those plus what was open to them when it was last counted."""

    done: int
    available: int
    latest: int | None
    """The pair that they labelled last of those that they took here: what "undo" opens again."""
    answered: int = 0
    """Control pairs that they had answered when it was last counted; of interest where no more are mixed in."""


@dataclass(frozen=True, slots=True)
class TeamProgress:
    """Labels of everybody in the dataset, as they were at the last count.

    Where control pairs are mixed in, answers to them are in it as well: a number that grew with labels alone would
    tell which decision was one.
    """

    done: int
    wanted: int

    def with_own(self, own: Progress) -> "TeamProgress":
        """What is counted rarely lags behind; nobody has done more than everybody."""
        return replace(self, done=max(self.done, own.done))


@dataclass(frozen=True, slots=True)
class _Count:
    done: int
    available: int
    until: datetime
    latest: int | None
    answered: int
    expires: float
    """Seconds since 1970."""


def progress_of(*, user: User, dataset: Dataset, open_pair: bool = False) -> tuple[Progress, TeamProgress]:
    """The annotator's own and everybody's. `open_pair`: one is before them that they have not decided yet."""
    team_key = f"team-progress:{dataset.pk}:{dataset.control_percent}"
    found = cache.get_many([_key(user, dataset), team_key])
    team = found.get(team_key) or _count_of_team(dataset, team_key)
    own = _own(user, dataset, found.get(_key(user, dataset)))
    if open_pair and own.done >= own.available:
        # Labels wanted were raised, or pairs added, since it was counted that nothing is left.
        count_anew(user=user, dataset=dataset)
        own = _own(user, dataset, None)
    return own, team


def own_progress(*, user: User, dataset: Dataset) -> Progress:
    """`done` is exact; `available` is as old as the last count, since others take pairs too."""
    return _own(user, dataset, cache.get(_key(user, dataset)))


def count_anew(*, user: User, dataset: Dataset) -> None:
    """After a label that did not come in turn, which adding what is newer would miss."""
    cache.delete(_key(user, dataset))


def _key(user: User, dataset: Dataset) -> str:
    # Counted anew when control pairs begin or cease to be mixed in.
    return f"progress:{user.pk}:{dataset.pk}:{dataset.control_percent > 0}"


def _own(user: User, dataset: Dataset, counted: "_Count | None") -> Progress:
    key = _key(user, dataset)
    if counted is None:
        counted = _count(user, dataset)
        cache.set(key, counted, counted.expires - time.time())
    if since := _labelled_since(user, dataset, counted.until):
        latest, until = since[0]
        counted = replace(counted, done=counted.done + len(since), until=until, latest=latest)
        if len(since) >= _ADDED_FROM:
            cache.set(key, counted, counted.expires - time.time())
    return Progress(counted.done, max(counted.available, counted.done), counted.latest, counted.answered)


def _labelled_since(user: User, dataset: Dataset, until: datetime) -> list[tuple[int, datetime]]:
    """What the annotator claimed after that and has labelled: pair and time of the claim, the latest first."""
    with prepared.cursor() as cursor:
        cursor.execute(_LABELLED_SINCE, [user.pk, dataset.pk, until])
        return cursor.fetchall()


def _count(user: User, dataset: Dataset) -> _Count:
    started = time.time()
    # One claim at a time: whatever is labelled after this count was claimed after the latest that is labelled now.
    latest = Slot.objects.decided_by(user).filter(dataset=dataset).values_list("claimed_at", "pair").first()
    until, pair = latest or (_EVER, None)
    done = Slot.objects.done_by(user).filter(dataset=dataset).count()
    available = done + Slot.objects.open_to(user=user, dataset=dataset).values("pair").distinct().count()
    quota = quota_of(user=user, dataset=dataset)
    if quota is not None:
        available = min(available, max(done, quota))
    answered = ControlAnswer.objects.mixed_into(dataset).filter(annotator=user, attempt=1).count()
    now = time.time()
    return _Count(done, available, until, pair, answered, now + max(_AT_LEAST_SECONDS, _USED_FOR * (now - started)))


def _count_of_team(dataset: Dataset, key: str) -> TeamProgress:
    started = time.time()
    slots = Slot.objects.filter(dataset=dataset)
    team = TeamProgress(**slots.aggregate(done=Count("pk", filter=Q(state=Slot.State.DONE)), wanted=Count("pk")))
    if dataset.control_percent:
        # As many as there would be if everybody met all that are due: it does not move while people decide.
        wanted = team.wanted * 100 // (100 - dataset.control_percent)
        answers = ControlAnswer.objects.mixed_into(dataset).filter(attempt=1).count()
        team = TeamProgress(min(team.done + answers, wanted) if team.done < team.wanted else wanted, wanted)
    cache.set(key, team, max(_AT_LEAST_SECONDS, _USED_FOR * (time.time() - started)))
    return team
