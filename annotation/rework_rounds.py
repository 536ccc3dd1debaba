"""Labels of earlier guidelines, sent back together: whose and how many, and then at once or as a job."""

from dataclasses import dataclass

from django.db import connection, transaction
from django.urls import reverse

from annotation.models import Dataset, Guideline, ReworkRound, User
from annotation.notifications import notify
from jobs.lifecycle import enqueue
from jobs.models import Job
from jobs.running import Running

# So many labels are sent back in the request; more take a job.
AT_ONCE = 5000
# Stands for "made without any guidelines" among the numbers of revisions.
NO_REVISION = 0

# Labels that can go back, as rework.why_not says for one; but none of an adjudicated pair, which is decided.
_POSSIBLE = """
    SELECT label.id, label.annotator_id, label.choice, label.guideline_id
      FROM annotation_label AS label
      JOIN annotation_pair AS pair ON pair.id = label.pair_id
      JOIN annotation_user AS person ON person.id = label.annotator_id
      LEFT JOIN annotation_guideline AS guideline ON guideline.id = label.guideline_id
     WHERE pair.dataset_id = %(dataset)s
       AND COALESCE(guideline.number, 0) = ANY(%(revisions)s)
       AND (%(annotators)s::bigint[] = '{}' OR label.annotator_id = ANY(%(annotators)s))
       AND person.is_active AND person.role = 'annotator'
       AND (%(everyone)s OR EXISTS (SELECT FROM annotation_dataset_annotators AS named
                                     WHERE named.dataset_id = pair.dataset_id AND named.user_id = person.id))
       AND label.revealed_at IS NULL AND label.audited_at IS NULL
       AND NOT EXISTS (SELECT FROM annotation_adjudication AS final
                        WHERE final.pair_id = label.pair_id AND final.current)
       AND NOT EXISTS (SELECT FROM annotation_rework AS waiting
                        WHERE waiting.label_id = label.id AND waiting.done_at IS NULL)
"""
# The same seed draws the same labels, as long as the same can go back.
_CHOSEN = f"{_POSSIBLE} ORDER BY md5(label.id::text || ':' || %(seed)s::text), label.id LIMIT %(sample)s"
_COUNT = f"SELECT annotator_id, count(*) FROM ({_CHOSEN}) AS chosen GROUP BY annotator_id"  # noqa: S608 - our own words
_SEND = f"""
    WITH sent AS (
        INSERT INTO annotation_rework (label_id, annotator_id, dataset_id, reason, comment, sent_by_id, sent_at,
                                       round_id, choice_before, guideline_before_id, outcome)
        SELECT id, annotator_id, %(dataset)s, 'guideline', %(comment)s, %(by)s, now(),
               %(round)s, choice, guideline_id, ''
          FROM ({_CHOSEN}) AS chosen
            ON CONFLICT (label_id) WHERE done_at IS NULL DO NOTHING
     RETURNING annotator_id)
    SELECT annotator_id, count(*) FROM sent GROUP BY annotator_id
"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which labels are to go back. revisions: numbers, NO_REVISION for none; annotators: ids, none for everybody."""

    dataset: Dataset
    revisions: tuple[int, ...]
    annotators: tuple[int, ...] = ()
    sample: int | None = None
    seed: int = 0

    def values(self) -> dict[str, object]:
        return {
            "dataset": self.dataset.pk,
            "everyone": self.dataset.everyone_labels,
            "revisions": list(self.revisions),
            "annotators": list(self.annotators),
            "sample": self.sample,
            "seed": self.seed,
        }


class ChangedMeanwhileError(Exception):
    """Other labels would go back now than the person was told of."""


def to_whom(asked: Asked) -> list[tuple[User, int]]:
    """The annotators who would get labels back, and how many each, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, asked.values())
        counts = dict(cursor.fetchall())
    people = User.objects.filter(pk__in=counts).order_by("username")
    return [(person, counts[person.pk]) for person in people]


def send_round(*, asked: Asked, told: int, comment: str, by: User) -> ReworkRound | Job:
    """Send the labels back and tell their annotators, or queue the job that does it where there are very many.

    `told` is how many labels the person was told of: where that is not so any more, ChangedMeanwhileError is raised
    and nothing is sent.
    """
    with transaction.atomic():
        # Two clicks come one after the other, and the second finds other numbers.
        Dataset.objects.select_for_update(no_key=True).get(pk=asked.dataset.pk)
        now = sum(n for _, n in to_whom(asked))
        if now != told or not now:
            raise ChangedMeanwhileError(f"It would be {now} labels now, not {told}: nothing was sent.")
        made = ReworkRound.objects.create(
            dataset=asked.dataset,
            guideline=Guideline.objects.filter(dataset=asked.dataset).latest("number"),
            revisions=list(asked.revisions),
            annotators=list(asked.annotators),
            sample=asked.sample,
            seed=asked.seed,
            comment=comment,
            sent_by=by,
        )
        if now > AT_ONCE:
            kind = f"{__name__}.{send_in_job.__name__}"
            return enqueue(
                kind=kind, title=f"Send {now} labels of {asked.dataset} back", subject_id=made.pk, created_by=by
            )
        _send(made)
        return made


def send_in_job(running: Running) -> None:
    """The job, in one transaction: an attempt that comes after a finished one finds its work done."""
    made = ReworkRound.objects.select_related("dataset", "sent_by").get(pk=running.subject_id)
    running.progress(0, None, "Sending labels back")
    with running.writing():
        if not made.reworks.exists():
            _send(made)


def _send(made: ReworkRound) -> None:
    asked = Asked(
        dataset=made.dataset,
        revisions=tuple(made.revisions),
        annotators=tuple(made.annotators),
        sample=made.sample,
        seed=made.seed,
    )
    values = asked.values() | {"comment": made.comment, "by": made.sent_by_id, "round": made.pk}
    with connection.cursor() as cursor:
        cursor.execute(_SEND, values)
        counts = dict(cursor.fetchall())
    path = reverse("rework", args=[made.dataset.slug])
    for person in User.objects.filter(pk__in=counts):
        n = counts[person.pk]
        pairs = "one of your pairs" if n == 1 else f"{n} of your pairs"
        text = f"The guidelines of {made.dataset} have changed: please look at {pairs} again."
        notify(people=[person], text=text, path=path)
