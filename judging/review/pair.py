"""All that is known of one pair, for the page where it is reviewed."""

from collections.abc import Set
from dataclasses import dataclass
from itertools import groupby

from django.db import connection

from annotation.differences import Piece, differences
from annotation.left_out import ids_left_out
from annotation.models import Choice, Label, LateDecision, Pair, Skip
from annotation.skips import passed_on
from jobs.models import Job
from judging.backends import explains
from judging.decisions import Bounds, decided_by
from judging.explaining import WORK as EXPLAIN
from judging.models import JudgeRun, Verdict
from judging.review.disagreement import Criteria
from judging.review.listing import Surroundings, around, gold_choices, snippets
from judging.review.order import Order, Place, place_of
from judging.scores.comparison import INVALID
from judging.scores.policies import Policy

LABEL_RELATIONS = ("annotator", "guideline", "pair__dataset", "reconsideration")
LABEL_PARTS = ("revisions", "reworks__sent_by", "reworks__round__guideline")


@dataclass(frozen=True)
class VerdictReading:
    """A verdict, and the job that writes its reason, if one was asked for. explains: one may be asked for."""

    verdict: Verdict
    job: Job | None
    explains: bool


@dataclass(frozen=True)
class RunReading:
    """A run's verdicts on the pair, and what they come to under the policy; counts_as None where that is nothing."""

    run: JudgeRun
    verdicts: list[VerdictReading]
    counts_as: str | None
    flips: bool


@dataclass(frozen=True)
class Response:
    """One side. pieces: its text in parts, where differences are asked for."""

    number: int
    text: str
    generator: str
    pieces: list[Piece] | None


@dataclass(frozen=True)
class PairReading:
    pair: Pair
    responses: list[Response]
    gold: Choice | None
    labels: list[Label]
    left_out: Set[int]
    """Ids of the people whose labels gold leaves out."""
    late: list[LateDecision]
    skips: list[Skip]
    runs: list[RunReading]


@dataclass(frozen=True)
class QueueEntry:
    pk: int
    name: str
    instruction: str
    here: bool


@dataclass(frozen=True)
class Queue:
    """The filtered list around a pair; inside tells whether the pair itself still matches."""

    entries: list[QueueEntry]
    previous: int | None
    next: int | None
    inside: bool
    here: Place
    """Where the pair stands in the order of the list."""


def reading_of(pair: Pair, *, criteria: Criteria, with_differences: bool) -> PairReading:
    labels = Label.objects.filter(pair=pair).select_related(*LABEL_RELATIONS)
    late = LateDecision.objects.filter(pair=pair).select_related("annotator")
    return PairReading(
        pair=pair,
        responses=_responses(pair, with_differences=with_differences),
        gold=gold_choices(criteria, [pair.pk]).get(pair.pk),
        labels=list(labels.order_by("annotator").prefetch_related(*LABEL_PARTS)),
        left_out=set(ids_left_out(pair.dataset)),
        late=list(late.order_by("annotator")),
        skips=list(passed_on(pair).select_related("annotator").order_by("annotator")),
        runs=_runs(pair, criteria.policy),
    )


def queue_around(pair: Pair, *, criteria: Criteria, order: Order) -> Queue:
    here = place_of(pair.pk)
    found: Surroundings = around(criteria, order, here)
    ids = [*found.before, pair.pk, *found.after] if found.inside else [*found.before, *found.after]
    asked = snippets(ids)
    entries = [QueueEntry(pk, *asked.get(pk, ("", "")), pk == pair.pk) for pk in ids]
    return Queue(entries, found.previous, found.next, found.inside, here)


def _responses(pair: Pair, *, with_differences: bool) -> list[Response]:
    both = (pair.response_1, pair.response_2)
    pieces = differences(*(response.text for response in both)) if with_differences else (None, None)
    return [
        Response(number, response.text, response.generator.name if response.generator else "", marked)
        for number, response, marked in zip((1, 2), both, pieces, strict=True)
    ]


def _runs(pair: Pair, policy: Policy) -> list[RunReading]:
    verdicts = pair.verdicts.select_related("run__judge").prefetch_related("revisions")
    verdicts = verdicts.order_by("run__judge__name", "-run_id", "swapped")
    jobs = Job.objects.latest_about(EXPLAIN, [verdict.pk for verdict in verdicts])
    readings = []
    for run, of_run in groupby(verdicts, key=lambda verdict: verdict.run):
        both = list(of_run)
        choices = {verdict.choice for verdict in both}
        flips = len(both) > 1 and None not in choices and len(choices) > 1
        may = explains(run.judge.backend, run.judge.parameters)
        said = [VerdictReading(each, jobs.get(each.pk), may and each.ok and not each.raw) for each in both]
        readings.append(RunReading(run, said, _counts_as(run, pair, policy), flips))
    return readings


def _counts_as(run: JudgeRun, pair: Pair, policy: Policy) -> str | None:
    """1, 2, Tie or Invalid."""
    with connection.cursor() as cursor:
        cursor.execute(decided_by(run, policy, Bounds(ids=[pair.pk])))
        found = cursor.fetchone()
    if found is None:
        return None
    return "Invalid" if found[1] == INVALID else str(Choice(found[1]).label)
