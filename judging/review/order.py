"""The order of the review list: pairs that people agree on least come first, or pairs as they came in.

Only pairs on which people differ have a row that says how far they agree (annotation.models.Split), and an index has
those rows in their order. The list begins with these, asked about in ever larger handfuls until a page is full; behind
them come all others in the order of their ids, found as judging.review.disagreement finds them. Where almost nothing
matches, all matches are found at once and put in order here. So a page costs what it shows, or one look at everything,
and not what lies before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import connection
from psycopg.sql import SQL, Composable, Literal

from annotation.models import Dataset, Split
from judging.decisions import Bounds
from judging.review.disagreement import Criteria, matching, numbers
from judging.review.label_filters import looked_up

# The agreement of pairs on which nobody differs, which have no row: behind all that have one.
AGREED = 100
FIRST_HANDFUL, GROWTH = 500, 8
# So many matches at most are put in order here.
FEW = 200


class Order(StrEnum):
    AGREEMENT = "agreement"
    PAIR = "pair"


@dataclass(frozen=True, order=True)
class Place:
    """Where a pair stands, or stood: a page begins behind a place although the pair has moved since."""

    agreement: int
    """Percent of the ways to take two of its labels that are two which agree."""
    pair_id: int

    def __str__(self) -> str:
        """As addresses have it."""
        return f"{self.agreement}-{self.pair_id}"

    @property
    def just_before(self) -> "Place":
        return Place(self.agreement, self.pair_id - 1)


def place_of(pair_id: int) -> Place:
    """Where a pair stands now; any number has a place."""
    agreement = Split.objects.filter(pair=pair_id).values_list("agreement", flat=True).first()
    return Place(AGREED if agreement is None else agreement, pair_id)


class Walk:
    """One list, to be read from any place in it, forwards or backwards."""

    def __init__(self, criteria: Criteria, order: Order) -> None:
        self.criteria = criteria
        self.order = order
        # The first matches by their ids, once they were asked for.
        self._first: list[Place] | None = None

    def places(self, *, limit: int, start: Place | None = None, backwards: bool = False) -> list[Place]:
        """Matching pairs from a place on, without it, at most `limit`; backwards those before it, the nearest first."""
        if self.order is Order.PAIR:
            return self._by_pair(limit, start, backwards=backwards, agreed=False)
        # A way back may lead through both parts, each in vain: ask about all at once before.
        if backwards and (few := self._few()) is not None:
            return _part(few, limit, start, backwards=True)
        one, other = (self._agreed, self._split) if backwards else (self._split, self._agreed)
        found = one(limit, start, backwards=backwards)
        if len(found) < limit:
            found += other(limit - len(found), start, backwards=backwards)
        return found

    def _split(self, limit: int, start: Place | None, *, backwards: bool) -> list[Place]:
        """Of the pairs on which people differ."""
        if self.criteria.people_differ is False:
            return []
        if start and start.agreement == AGREED:
            if not backwards:
                return []
            start = None
        wanted = looked_up(self.criteria.own, self.criteria.passed_on, SQL("split.pair_id"))
        # Labels of a revision lie together, far away from most handfuls; where they are few there may be none at all.
        if wanted and (few := self._few()) is not None:
            return _part([place for place in few if place.agreement < AGREED], limit, start, backwards=backwards)
        found: list[Place] = []
        at, size = start, FIRST_HANDFUL
        while True:
            handful = _splits(self.criteria.dataset, wanted or SQL(""), limit=size, start=at, backwards=backwards)
            matched = self._matching(handful)
            found += [place for place in handful if place.pair_id in matched]
            if len(found) >= limit or len(handful) < size:
                return found[:limit]
            if (few := self._few()) is not None:
                return _part([place for place in few if place.agreement < AGREED], limit, start, backwards=backwards)
            at, size = handful[-1], size * GROWTH

    def _agreed(self, limit: int, start: Place | None, *, backwards: bool) -> list[Place]:
        """Of the pairs on which nobody differs."""
        if self.criteria.people_differ:
            return []
        if start and start.agreement < AGREED:
            if backwards:
                return []
            start = None
        if self._first is not None and start is None and not backwards:
            known = [place for place in self._first if place.agreement == AGREED]
            if len(known) >= limit or self._few() is not None:
                return known[:limit]
        return self._by_pair(limit, start, backwards=backwards, agreed=True)

    def _by_pair(self, limit: int, start: Place | None, *, backwards: bool, agreed: bool) -> list[Place]:
        limits = {"before" if backwards else "after": start.pair_id} if start else {}
        query = matching(self.criteria, Bounds(**limits), limit=limit, descending=backwards, agreed=agreed)
        return [Place(AGREED, pair_id) for pair_id in numbers(query)]

    def _few(self) -> list[Place] | None:
        """All matches in this order, where they are few; else None, which is found out soon."""
        if self._first is None:
            ids = numbers(matching(self.criteria, Bounds(), limit=FEW + 1))
            agreement = dict(Split.objects.filter(pair__in=ids).values_list("pair", "agreement"))
            self._first = [Place(agreement.get(pair_id, AGREED), pair_id) for pair_id in ids]
        return sorted(self._first) if len(self._first) <= FEW else None

    def _matching(self, handful: Sequence[Place]) -> set[int]:
        ids = [place.pair_id for place in handful]
        return set(numbers(matching(self.criteria, Bounds(ids=ids), limit=len(ids)))) if ids else set()


def _part(places: list[Place], limit: int, start: Place | None, *, backwards: bool) -> list[Place]:
    if backwards:
        places = [place for place in reversed(places) if start is None or place < start]
    else:
        places = [place for place in places if start is None or place > start]
    return places[:limit]


def _splits(dataset: Dataset, wanted: Composable, *, limit: int, start: Place | None, backwards: bool) -> list[Place]:
    """Pairs on which people differ, in their order. wanted: a condition that is soon looked up, or nothing."""
    beyond = SQL("")
    if start:
        beyond = SQL(" AND (agreement, pair_id) {} ({}, {})").format(
            SQL("<" if backwards else ">"), Literal(start.agreement), Literal(start.pair_id)
        )
    query = SQL(
        "SELECT agreement, pair_id FROM annotation_split AS split WHERE dataset_id = {}{}{}"
        " ORDER BY agreement {direction}, pair_id {direction} LIMIT {}"
    ).format(Literal(dataset.pk), beyond, wanted, Literal(limit), direction=SQL("DESC" if backwards else "ASC"))
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [Place(*row) for row in cursor.fetchall()]
