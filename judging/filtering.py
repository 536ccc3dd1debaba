"""The filters through which distilled labels go before a judge learns from them: marks by a job, counted as a funnel.

A filter marks pairs of a run; it removes nothing. Whoever looks at the funnel switches filters on and off, and a pair
is counted where the first of those that are on has marked it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from django.db import connection, transaction
from psycopg.sql import SQL, Literal

from annotation.models import Choice, User
from jobs import lifecycle
from jobs.models import Job
from jobs.running import Running
from judging.audits.reasons import contradiction
from judging.label_signs import CONFLICT, EMPTY, IDENTICAL, WITH_TEXTS
from judging.models import FilterMark, JudgeRun, Verdict

# ruff: noqa: S608 - the statements are put together of the texts in this file.

WORK = "judging.filtering.filter_run"
BATCH = 2000


def _of_status(status: str) -> str:
    return (
        "SELECT pair_id, min(left(raw, 200)) AS words FROM judging_verdict"
        f" WHERE run_id = {{run}} AND choice IS NULL AND status = '{status}' GROUP BY pair_id"
    )


@dataclass(frozen=True)
class Filter:
    """query: pairs of a run with words on each; none where the words are read in Python."""

    title: str
    why: str
    query: str | None


# In the order of the funnel: what is no label at all, what is no pair to learn from, what is no label to trust.
FILTERS: Mapping[str, Filter] = {
    "failed": Filter("No answer", "The judge could not be asked.", _of_status(Verdict.Status.FAILED)),
    "refused": Filter("Refused", "The judge declined.", _of_status(Verdict.Status.REFUSED)),
    "too_long": Filter("Too long", "The prompt did not fit into the judge.", _of_status(Verdict.Status.TOO_LONG)),
    "unparseable": Filter(
        "Unparseable", "The answer holds no choice, or more than one.", _of_status(Verdict.Status.INVALID)
    ),
    "empty": Filter(
        "Empty response",
        "One of the responses has no text.",
        "SELECT pair_id, 'Response ' || CASE WHEN one THEN '1' ELSE '2' END || ' is empty.' AS words"
        f" FROM ({EMPTY}) AS found",
    ),
    "identical": Filter(
        "Identical responses",
        "Both responses are the same text.",
        f"SELECT pair_id, '' AS words FROM ({IDENTICAL}) AS found",
    ),
    "duplicate": Filter(
        "Duplicate pair",
        "An earlier pair of the dataset has the same prompt and the same two texts, in either order.",
        "SELECT pair_id, 'The same as pair ' || earliest AS words FROM (SELECT v.pair_id,"
        " min(v.pair_id) OVER (PARTITION BY pair.prompt_id, least(one.text_hash, two.text_hash),"
        f" greatest(one.text_hash, two.text_hash)) AS earliest {WITH_TEXTS}) AS twins"
        " WHERE pair_id <> earliest",
    ),
    "conflict": Filter(
        "Order conflict",
        "In the other order the judge says something else.",
        f"SELECT pair_id, '' AS words FROM ({CONFLICT}) AS found",
    ),
    "contradiction": Filter("Reason contradicts", "The reason says outright that another choice is right.", None),
}


@dataclass(frozen=True)
class Step:
    """A filter in the funnel. marked: pairs with its mark; removed: those that no earlier filter that is on removed."""

    name: str
    filter: Filter
    on: bool
    marked: int
    removed: int
    left: int


@dataclass(frozen=True)
class Funnel:
    labels: int
    steps: list[Step]

    @property
    def left(self) -> int:
        return self.steps[-1].left


def ask(*, run: JudgeRun, by: User) -> Job:
    """Have the run's labels filtered anew: the job, or the one that is under way."""
    with transaction.atomic():
        locked = JudgeRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        return lifecycle.enqueue_once(
            kind=WORK, title=f"Filter the labels of {run}", subject_id=locked.pk, created_by=by
        )


def job_of(run: JudgeRun) -> Job | None:
    """The latest."""
    return Job.objects.latest_about(WORK, [run.pk]).get(run.pk)


def filter_run(running: Running) -> None:
    """The work of the job."""
    run = JudgeRun.objects.filter(pk=running.subject_id).first()
    if run is not None:
        mark(run=run, running=running)


def is_due(run: JudgeRun) -> bool:
    """The run was never filtered to the end, or has verdicts that came since."""
    done = Job.objects.filter(kind=WORK, subject_id=run.pk, state=Job.State.SUCCEEDED).order_by("started_at").last()
    return done is None or Verdict.objects.filter(run=run, created_at__gt=done.started_at).exists()


def mark(*, run: JudgeRun, running: Running) -> None:
    """All marks of a run in one transaction: what was marked before stands until then, and for whoever reads.

    Two that mark the same run come one after the other.
    """
    running.progress(0, len(FILTERS), "Filtering")
    with running.writing():
        JudgeRun.objects.select_for_update(of=("self",), no_key=True).get(pk=run.pk)
        FilterMark.objects.filter(run=run).delete()
        for number, (name, filter_) in enumerate(FILTERS.items()):
            running.progress(number, len(FILTERS), filter_.title)
            if filter_.query is None:
                _mark_contradictions(run, running)
            else:
                _mark(run, name, filter_.query)
    running.progress(len(FILTERS), len(FILTERS), "Filtering")


def _mark(run: JudgeRun, name: str, query: str) -> None:
    found = SQL(query).format(run=Literal(run.pk))  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            SQL(
                "INSERT INTO judging_filtermark (run_id, pair_id, filter, words)"
                " SELECT {}, pair_id, {}, coalesce(words, '') FROM ({}) AS found"
            ).format(Literal(run.pk), Literal(name), found)
        )


def _mark_contradictions(run: JudgeRun, running: Running) -> None:
    found = _contradictions(run)
    with connection.cursor() as cursor:
        while batch := list(islice(found, BATCH)):
            running.check()
            pairs, words = zip(*batch, strict=True)
            # A pair may be found in both orders.
            cursor.execute(
                "INSERT INTO judging_filtermark (run_id, pair_id, filter, words)"
                " SELECT %s, pair_id, 'contradiction', words FROM unnest(%s::bigint[], %s::text[]) AS f(pair_id, words)"
                " ON CONFLICT DO NOTHING",
                [run.pk, list(pairs), list(words)],
            )


def _contradictions(run: JudgeRun) -> Iterator[tuple[int, str]]:
    verdicts = Verdict.objects.filter(run=run, status=Verdict.Status.OK).exclude(reason="").order_by()
    rows = verdicts.values_list("pair", "swapped", "choice", "reason")
    for pair_id, swapped, choice, reason in rows.iterator(chunk_size=BATCH):
        if claim := contradiction(reason=reason, choice=Choice(choice), swapped=swapped):
            yield pair_id, f"The reason says “{claim.words}”, the label is {Choice(choice).label.lower()}."


def funnel_of(run: JudgeRun, on: Sequence[str]) -> Funnel:
    """on: names of the filters that are switched on."""
    labels = Verdict.objects.filter(run=run).values("pair").distinct().count()
    asked = [name for name in FILTERS if name in on]
    with connection.cursor() as cursor:
        cursor.execute("SELECT filter, count(*) FROM judging_filtermark WHERE run_id = %s GROUP BY filter", [run.pk])
        marked = dict(cursor.fetchall())
        cursor.execute(
            "SELECT first, count(*) FROM (SELECT min(array_position(%s::text[], filter::text)) AS first"
            " FROM judging_filtermark WHERE run_id = %s AND filter = ANY(%s) GROUP BY pair_id) AS met GROUP BY first",
            [asked, run.pk, asked],
        )
        removed = {asked[first - 1]: n for first, n in cursor.fetchall()}
    left, steps = labels, []
    for name, filter_ in FILTERS.items():
        left -= removed.get(name, 0)
        steps.append(Step(name, filter_, name in on, marked.get(name, 0), removed.get(name, 0), left))
    return Funnel(labels, steps)
