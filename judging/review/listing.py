"""Pages of the review list, the queue beside a pair, and what stands in their rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Left
from psycopg.sql import SQL

from annotation.models import Choice, Label, Pair, User
from judging.decisions import Bounds, gold_of
from judging.models import Verdict
from judging.review.disagreement import Criteria, matching, numbers
from judging.review.order import Order, Place, Walk, place_of

PAGE = 50
# Counting stops here: a reader wants to know whether it is a dozen, hundreds, or more than can be read.
COUNTED = 10_000
# The queue beside a pair.
BEFORE, BEHIND = 5, 20
SNIPPET = 240


@dataclass(frozen=True)
class Said:
    """What somebody said of a pair, in a few words. choice is None where a judge gave none."""

    who: User | str
    choice: Choice | None
    status: str = ""
    swapped: bool = False


@dataclass(frozen=True)
class Row:
    pair: Pair
    instruction: str
    input: str
    people: list[Said]
    gold: Choice | None
    judges: list[Said]


@dataclass(frozen=True)
class Page:
    """Pairs in their order, and whether there are more on either side."""

    places: list[Place]
    more_before: bool
    more_after: bool

    @property
    def ids(self) -> list[int]:
        return [place.pair_id for place in self.places]

    @property
    def first(self) -> Place:
        return self.places[0]

    @property
    def last(self) -> Place:
        return self.places[-1]


@dataclass(frozen=True)
class Count:
    number: int
    more: bool
    """There are more than number, and nobody counted on."""


@dataclass(frozen=True)
class Surroundings:
    """The queue around a pair. inside: the pair itself matches; without it the queue still leads on from its place."""

    before: list[int]
    inside: bool
    after: list[int]

    @property
    def previous(self) -> int | None:
        return self.before[-1] if self.before else None

    @property
    def next(self) -> int | None:
        return self.after[0] if self.after else None


def page(
    criteria: Criteria,
    order: Order = Order.AGREEMENT,
    *,
    after: Place | None = None,
    before: Place | None = None,
    size: int = PAGE,
) -> Page:
    """The page behind one place, or the one that ends before another, or the first. Costs the same anywhere."""
    walk = Walk(criteria, order)
    if before is not None:
        found = walk.places(start=before, limit=size + 1, backwards=True)
        # The reader came from a pair that lies behind this page.
        return Page(found[:size][::-1], more_before=len(found) > size, more_after=True)
    found = walk.places(start=after, limit=size + 1)
    return Page(found[:size], more_before=after is not None, more_after=len(found) > size)


def count(criteria: Criteria, *, up_to: int = COUNTED) -> Count:
    counting = SQL("SELECT count(*) FROM ({}) AS found").format(matching(criteria, Bounds(), limit=up_to + 1))
    number = numbers(counting)[0]
    return Count(min(number, up_to), number > up_to)


def around(criteria: Criteria, order: Order, here: Place) -> Surroundings:
    walk = Walk(criteria, order)
    after = walk.places(start=here, limit=BEHIND)
    before = walk.places(start=here, limit=BEFORE, backwards=True)[::-1]
    inside = bool(numbers(matching(criteria, Bounds(ids=[here.pair_id]), limit=1)))
    return Surroundings([place.pair_id for place in before], inside, [place.pair_id for place in after])


def next_pair(criteria: Criteria, order: Order, pair_id: int) -> int | None:
    """The first match behind a pair's place; where there is none, the first of the list, unless it is that pair."""
    walk = Walk(criteria, order)
    for start in (place_of(pair_id), None):
        for place in walk.places(start=start, limit=2):
            if place.pair_id != pair_id:
                return place.pair_id
    return None


def rows(criteria: Criteria, ids: Sequence[int]) -> list[Row]:
    """What the list shows of some pairs, in their order, read by one query a kind of thing."""
    pairs = (
        Pair.objects.filter(pk__in=ids)
        .annotate(instruction=Left("prompt__instruction", SNIPPET), input=Left("prompt__input", SNIPPET))
        .select_related("response_1__generator", "response_2__generator")
        .defer("metadata", "response_1__text", "response_2__text")
    )
    by_id = {pair.pk: pair for pair in pairs}
    gold, people, judges = gold_choices(criteria, ids), _people(ids), _judges(criteria, ids)
    return [
        Row(pair, pair.instruction, pair.input, people[pair.pk], gold.get(pair.pk), judges[pair.pk])
        for pair in (by_id[pk] for pk in ids if pk in by_id)
    ]


def snippets(ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """A pair's id in its dataset, and the beginning of what was asked."""
    found = Pair.objects.filter(pk__in=ids).values_list("pk", "external_id", Left("prompt__instruction", SNIPPET))
    return {pk: (name, asked) for pk, name, asked in found}


def gold_choices(criteria: Criteria, ids: Sequence[int]) -> dict[int, Choice]:
    """Gold under the policy of those of these pairs that have it."""
    with connection.cursor() as cursor:
        cursor.execute(gold_of(criteria.dataset, criteria.policy, Bounds(ids=ids)))
        return {pk: Choice(choice) for pk, choice in cursor.fetchall()}


def _people(ids: Sequence[int]) -> dict[int, list[Said]]:
    said = defaultdict(list)
    for label in Label.objects.filter(pair__in=ids).order_by("annotator").select_related("annotator"):
        said[label.pair_id].append(Said(label.annotator, Choice(label.choice)))
    return said


def _judges(criteria: Criteria, ids: Sequence[int]) -> dict[int, list[Said]]:
    """Verdicts of the runs that are asked for, else of all."""
    said = defaultdict(list)
    asked = [run for run in (criteria.run, criteria.other) if run]
    verdicts = (
        Verdict.objects.filter(Q(run__in=asked) if asked else Q(run__dataset=criteria.dataset), pair__in=ids)
        .order_by("run__judge__name", "run", "swapped")
        .values_list("pair", "run__judge__name", "choice", "status", "swapped")
    )
    for pair, judge, choice, status, swapped in verdicts:
        words = Verdict.Status(status).label.lower()
        said[pair].append(Said(judge, None if choice is None else Choice(choice), words, swapped))
    return said
