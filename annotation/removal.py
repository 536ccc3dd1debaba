"""Removing a dataset with all that hangs on it: said in full, asked for by its name, done whole or not at all."""

from dataclasses import dataclass

from django.db import connection, transaction

from annotation.models import Adjudication, Comment, Dataset, Import, Label, Pair, User
from annotation.verdict_store import verdict_store
from jobs.errors import PermanentError
from jobs.lifecycle import enqueue
from jobs.models import Job
from jobs.running import Running

# Pairs with their labels and verdicts are deleted so many at a time, and the progress shows it.
AT_ONCE = 1000


class BusyError(Exception):
    """Something still works on the dataset, or people said more about it than was known; tells what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes with a dataset. labels, people and remarks are work of people that nobody can make again."""

    pairs: int
    labels: int
    people: int
    """Who made the labels."""
    remarks: int
    """Adjudications, earlier ones too, comments, and what auditors decided about verdicts."""
    verdicts: int

    @property
    def is_work_of_people(self) -> bool:
        return bool(self.labels or self.remarks)


def contents_of(dataset: Dataset) -> Contents:
    labels = Label.objects.filter(pair__dataset=dataset)
    remarks = [model.objects.filter(pair__dataset=dataset).count() for model in (Adjudication, Comment)]
    return Contents(
        pairs=Pair.objects.filter(dataset=dataset).count(),
        labels=labels.count(),
        people=labels.order_by().values("annotator").distinct().count(),
        remarks=sum(remarks) + verdict_store().count_audited(dataset=dataset),
        verdicts=verdict_store().count(dataset=dataset),
    )


def remove(*, dataset: Dataset, known: Contents, by: User) -> Job:
    """Close the dataset to annotators and queue its removal.

    `known` is what the person was told: where people have said more since, or an import or a run still works on the
    dataset, BusyError is raised and nothing happens.
    """
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        now = contents_of(dataset)
        if (now.labels, now.remarks) != (known.labels, known.remarks):
            raise BusyError("People have said something about it meanwhile. Look at the numbers again.")
        _refuse_if_busy(dataset)
        # A label that is made between now and then would be lost without a word.
        dataset.everyone_labels = False
        dataset.save(update_fields=["everyone_labels"])
        dataset.annotators.clear()
        kind = f"{__name__}.{remove_now.__name__}"
        return enqueue(kind=kind, title=f"Remove dataset {dataset}", subject_id=dataset.pk, created_by=by)


def _refuse_if_busy(dataset: Dataset) -> None:
    if Import.objects.filter(dataset_slug=dataset.slug, job__state__in=Job.LIVE).exists():
        raise BusyError("A file is being imported into it. Wait for that, or cancel it.")
    if verdict_store().is_judging(dataset=dataset):
        raise BusyError("A judge is running on it, or an audit is being drawn. Wait for that, or cancel it.")


def remove_now(running: Running) -> None:
    """The job, in one transaction: cancelled or killed in the middle, everything is there as before."""
    dataset = Dataset.objects.filter(pk=running.subject_id).first()
    if dataset is None:
        return
    try:
        _refuse_if_busy(dataset)
    except BusyError as error:
        raise PermanentError(str(error)) from error
    running.progress(0, None, "Waiting for imports to end")
    with running.writing():
        with connection.cursor() as cursor:
            # Imports of any dataset share prompts with this one.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tiebreak.import', 0))")
        _delete(dataset, running)


def _delete(dataset: Dataset, running: Running) -> None:
    total = Pair.objects.filter(dataset=dataset).count()
    done = 0
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE removed_prompt (id bigint PRIMARY KEY) ON COMMIT DROP")
        cursor.execute(
            "INSERT INTO removed_prompt SELECT DISTINCT prompt_id FROM annotation_pair WHERE dataset_id = %s",
            [dataset.pk],
        )
    while ids := list(Pair.objects.filter(dataset=dataset).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        # Django knows what hangs on a pair, in whichever package.
        Pair.objects.filter(pk__in=ids).delete()
        done += len(ids)
        running.progress(done, total, "Deleting pairs")
    running.progress(done, total, "Deleting the rest")
    dataset.delete()
    _delete_unused_prompts()


def _delete_unused_prompts() -> None:
    """Those that are in no other dataset, with their responses."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM removed_prompt r USING annotation_pair pair WHERE pair.prompt_id = r.id")
        cursor.execute("ANALYZE removed_prompt")
        cursor.execute("DELETE FROM annotation_response WHERE prompt_id IN (SELECT id FROM removed_prompt)")
        cursor.execute("DELETE FROM annotation_prompt WHERE id IN (SELECT id FROM removed_prompt)")
