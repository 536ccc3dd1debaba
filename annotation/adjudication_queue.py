"""A dataset's adjudication: what waits for it, why people differed, and unanimous pairs decided all at once."""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count

from annotation.left_out import ids_left_out
from annotation.models import Adjudication, Choice, Dataset, Pair, Split, User
from jobs import lifecycle
from jobs.models import Job
from jobs.running import Running

WORK = "annotation.adjudication_queue.adjudicate_unanimous_in_job"
# So many pairs are decided in the request; more take a job.
AT_ONCE = 5000
CHUNK = 2000

# Pairs with all labels that are wanted, two at least, which agree; no label is flagged and nobody adjudicated. Labels
# that are left out of gold are as good as not given. An adjudication that comes at the same time stays: it was made by
# somebody who looked.
_UNANIMOUS = """
    SELECT label.pair_id, min(label.choice) AS choice FROM annotation_label AS label
      JOIN annotation_pair AS pair ON pair.id = label.pair_id
     WHERE pair.dataset_id = %(dataset)s AND pair.id > %(after)s AND pair.id <= %(up_to)s
       AND label.annotator_id <> ALL(%(left_out)s)
       AND NOT EXISTS (SELECT FROM annotation_adjudication AS final WHERE final.pair_id = pair.id AND final.current)
     GROUP BY label.pair_id
    HAVING min(label.choice) = max(label.choice) AND count(*) >= %(labels)s AND bool_and(label.flag = '')
"""
_COUNT = f"SELECT count(*) FROM ({_UNANIMOUS}) AS found"  # noqa: S608 - our own words
_INSERT = f"""
    INSERT INTO annotation_adjudication (pair_id, choice, cause, note, by_id, current, created_at)
    SELECT pair_id, choice, 'unanimous', '', %(by)s, true, now() FROM ({_UNANIMOUS}) AS found
    ON CONFLICT (pair_id) WHERE current DO NOTHING
"""  # noqa: S608
# A label of these pairs does not change until the transaction ends (labeling.change_label waits for the same lock).
_LOCK = """
    SELECT max(id) FROM (
        SELECT id FROM annotation_pair WHERE dataset_id = %(dataset)s AND id > %(after)s
         ORDER BY id LIMIT %(chunk)s FOR NO KEY UPDATE) AS locked
"""
_ALL = 2**62


@dataclass(frozen=True)
class Waiting:
    """How far a dataset's adjudication is. first: the pair with the lowest agreement that waits, if one does."""

    split: int
    split_done: int
    unanimous: int
    first: int | None

    @property
    def split_waiting(self) -> int:
        return self.split - self.split_done


@dataclass(frozen=True)
class CauseRow:
    """Adjudications that stand, with one cause. choices: of 1, tie, 2."""

    cause: Adjudication.Cause
    n: int
    share: float | None
    """In percent of those with a cause that somebody chose; None where nobody differed, and nobody chose one."""
    choices: list[tuple[str, int]]


def waiting(dataset: Dataset) -> Waiting:
    split = Split.objects.filter(dataset=dataset)
    done = Adjudication.objects.filter(current=True, pair__in=split.values("pair")).count()
    undecided = split.exclude(pair__in=Adjudication.objects.filter(current=True).values("pair"))
    first = undecided.order_by("agreement", "pair").values_list("pair", flat=True).first()
    return Waiting(split.count(), done, count_unanimous(dataset), first)


def causes(dataset: Dataset) -> list[CauseRow]:
    """Why people differed, by what reviewers said; those with a cause that somebody chose first, by number."""
    said = Adjudication.objects.filter(pair__dataset=dataset, current=True)
    counts: dict[str, dict[int, int]] = {}
    for cause, choice, n in said.values_list("cause", "choice").annotate(n=Count("pk")).order_by():
        counts.setdefault(cause, {})[choice] = n
    unanimous = Adjudication.Cause.UNANIMOUS
    chosen = sum(sum(by_choice.values()) for cause, by_choice in counts.items() if cause != unanimous)
    rows = [
        CauseRow(
            Adjudication.Cause(cause),
            sum(by_choice.values()),
            None if cause == unanimous else 100 * sum(by_choice.values()) / chosen,
            [
                (name, by_choice.get(choice, 0))
                for choice, name in ((Choice.FIRST, "1"), (Choice.TIE, "tie"), (Choice.SECOND, "2"))
            ],
        )
        for cause, by_choice in counts.items()
    ]
    return sorted(rows, key=lambda row: (row.cause is unanimous, -row.n, row.cause))


def count_unanimous(dataset: Dataset) -> int:
    """Pairs that `adjudicate_unanimous` would decide."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _asked(dataset))
        return int(cursor.fetchone()[0])


def _asked(dataset: Dataset, *, after: int = 0, up_to: int = _ALL) -> dict[str, object]:
    bounds = {"dataset": dataset.pk, "after": after, "up_to": up_to}
    return bounds | {"labels": labels_needed(dataset), "left_out": ids_left_out(dataset)}


def labels_needed(dataset: Dataset) -> int:
    """How many labels that agree make a pair unanimous."""
    return max(2, dataset.labels_per_pair)


def adjudicate_unanimous(*, dataset: Dataset, by: User) -> int | Job:
    """Make what all labels of a pair say its gold, for all such pairs; how many, or the job that does it if many.

    Again, it finds only pairs that have become unanimous since. A job that is still at it is given back.
    """
    with transaction.atomic():
        # Two clicks come one after the other, and the second finds the first one's job.
        Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
        live = Job.objects.live().filter(kind=WORK, subject_id=dataset.pk).first()
        if live:
            return live
        if count_unanimous(dataset) > AT_ONCE:
            title = f"Adjudicate the unanimous pairs of {dataset}"
            return lifecycle.enqueue(kind=WORK, title=title, subject_id=dataset.pk, created_by=by)
        done = 0
        after: int | None = 0
        while after is not None:
            decided, after = _adjudicate_chunk(dataset, by_id=by.pk, after=after)
            done += decided
    return done


def adjudicate_unanimous_in_job(running: Running) -> None:
    """The work of the job: a chunk of pairs a transaction, from the beginning after an interruption."""
    dataset = Dataset.objects.get(pk=running.subject_id)
    by_id = Job.objects.values_list("created_by", flat=True).get(pk=running.job_id)
    total, seen = Pair.objects.filter(dataset=dataset).count(), 0
    after: int | None = 0
    while after is not None:
        with running.writing():
            _, after = _adjudicate_chunk(dataset, by_id=by_id, after=after)
        seen = min(seen + CHUNK, total)
        running.progress(seen, total, "Adjudicating unanimous pairs")


def _adjudicate_chunk(dataset: Dataset, *, by_id: int, after: int) -> tuple[int, int | None]:
    """How many of the next pairs were adjudicated, and the last pair looked at; None where there are no more."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"dataset": dataset.pk, "after": after, "chunk": CHUNK})
        last = cursor.fetchone()[0]
        if last is None:
            return 0, None
        cursor.execute(_INSERT, _asked(dataset, after=after, up_to=last) | {"by": by_id})
        return cursor.rowcount, last
