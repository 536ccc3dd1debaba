"""What a researcher may change about a dataset while people label it."""

from django.db import transaction

from annotation import ranks
from annotation.models import Dataset, Guideline, Pair, User
from annotation.slots import ask_further, make_slots
from jobs.lifecycle import enqueue
from jobs.models import Job
from jobs.running import Running

# Making room for labels on more pairs than this is a job: a person doesn't wait for it.
AT_ONCE = 20_000


def add_guideline(*, dataset: Dataset, text: str, by: User) -> Guideline:
    """The next revision. Labels made from now on know it as theirs; earlier ones keep their own.

    The same text again (a double click) is no new one: nobody is to read what they have read.
    """
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        last = dataset.guidelines.order_by("number").last()
        if last and last.text == text:
            return last
        number = last.number + 1 if last else 1
        return Guideline.objects.create(dataset=dataset, number=number, text=text, created_by=by)


class FewerLabelsError(ValueError):
    """Labels that exist or are being made are not taken back."""


def raise_labels_per_pair(*, dataset: Dataset, labels_per_pair: int, by: User) -> Job | None:
    """Want more labels of each pair, and make room for them: at once, or by the job that is returned.

    Raises FewerLabelsError if that is fewer than now.
    """
    with transaction.atomic():
        current = Dataset.objects.select_for_update().get(pk=dataset.pk)
        if labels_per_pair < current.labels_per_pair:
            raise FewerLabelsError(
                f"{dataset} already wants {current.labels_per_pair} labels a pair; it can only be more."
            )
        current.labels_per_pair = labels_per_pair
        current.save(update_fields=["labels_per_pair"])
        if Pair.objects.filter(dataset=current)[AT_ONCE : AT_ONCE + 1].exists():
            kind = f"{__name__}.{make_room.__name__}"
            return enqueue(kind=kind, title=f"Make room for labels on {dataset}", subject_id=dataset.pk, created_by=by)
        make_slots(dataset=current)
    return None


def make_room(running: Running) -> None:
    """The job: what exists is left as it is, so a second attempt carries on."""
    running.progress(0, None, "Making room for labels")
    with running.writing():
        # Against pairs that become control pairs meanwhile, which want no labels.
        make_slots(dataset=Dataset.objects.select_for_update(no_key=True).get(pk=running.subject_id))


def rearrange(*, dataset: Dataset, by: User | None = None) -> Job | None:
    """The order of pairs or the labels wanted of split ones were set anew: let what is free follow.

    After the open transaction, and at once or by the job that is returned: while ranks are stored, nobody waits.
    """
    if Pair.objects.filter(dataset=dataset)[AT_ONCE : AT_ONCE + 1].exists():
        kind = f"{__name__}.{arrange.__name__}"
        return enqueue(kind=kind, title=f"Order the pairs of {dataset}", subject_id=dataset.pk, created_by=by)
    transaction.on_commit(lambda: _arrange_at_once(Dataset.objects.get(pk=dataset.pk)))
    return None


def _arrange_at_once(dataset: Dataset) -> None:
    ask_further(dataset=dataset)
    rule = ranks.rank_sql(dataset)
    for first, last in ranks.batches(dataset):
        ranks.renew(dataset=dataset, first=first, last=last, rule=rule)
    ranks.renewed(dataset=dataset)


def arrange(running: Running) -> None:
    """The job: batches that are as they should be are left so, so a second attempt carries on."""
    dataset = Dataset.objects.get(pk=running.subject_id)
    with running.writing():
        ask_further(dataset=dataset)
    rule, parts = ranks.rank_sql(dataset), list(ranks.batches(dataset))
    for done, (first, last) in enumerate(parts):
        running.progress(done, len(parts), "Ordering pairs")
        with running.writing():
            ranks.renew(dataset=dataset, first=first, last=last, rule=rule)
    with running.writing():
        ranks.renewed(dataset=dataset)
