"""Labels that go back to their annotator: sent with a comment, decided again or kept, and what became of it.

A label goes back only while it is blind: once its annotator has seen what others said, another look would be no
judgement of their own. A label of an adjudicated pair may go back: the adjudication stays gold, its annotator knows
nothing of it, and agreement is counted with what they then say. Until the annotator decides, the label stands.
"""

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from annotation.models import Dataset, Label, LabelRevision, Pair, Rework, User
from annotation.models.rework import ReworkQuerySet
from annotation.notifications import mark_read, notify


class CannotGoBackError(Exception):
    """The label cannot be sent back; says why."""


def why_not(label: Label) -> str:
    """Why this label cannot be sent back, in a sentence; nothing where it can."""
    pair: Pair = label.pair
    if label.revealed_at:
        return "Its annotator has seen what others said, so another look would not be blind."
    if label.audited_at:
        return "Its annotator has seen a judge's verdict on it in an audit, so another look would not be blind."
    if not label.annotator.is_active:
        return "Its annotator cannot sign in here."
    if not pair.dataset.is_labelled_by(label.annotator):
        return "Its annotator does not label this dataset any more."
    return ""


def send_back(*, label_id: int, comment: str, by: User) -> Rework:
    """Give a label back to its annotator and tell them. The same again (a double click) sends nothing.

    Raises CannotGoBackError where it cannot go back, or waits for them already.
    """
    with transaction.atomic():
        label = _locked(pk=label_id)
        if reason := why_not(label):
            raise CannotGoBackError(reason)
        waiting = Rework.objects.undecided().filter(label=label).first()
        if waiting and (waiting.sent_by_id, waiting.comment) == (by.pk, comment):
            return waiting
        if waiting:
            raise CannotGoBackError("It waits for its annotator already.")
        sent = Rework.objects.create(
            label=label,
            annotator=label.annotator,
            dataset=label.pair.dataset,
            reason=Rework.Reason.REVIEW,
            comment=comment,
            sent_by=by,
            choice_before=label.choice,
            guideline_before_id=label.guideline_id,
        )
        dataset = label.pair.dataset
        text = f"A reviewer asks you to look at one of your pairs of {dataset} again."
        notify(people=[label.annotator], text=text, path=reverse("rework", args=[dataset.slug]))
        return sent


def withdraw(*, rework: Rework) -> bool:
    """Take it back before its annotator has decided. False where they were quicker."""
    waiting = Rework.objects.undecided().filter(pk=rework.pk)
    with transaction.atomic():
        withdrawn = waiting.update(done_at=timezone.now(), outcome=Rework.Outcome.WITHDRAWN)
        if withdrawn:
            _ask_no_more(rework)
    return bool(withdrawn)


def waiting_for(annotator: User, *, dataset: Dataset) -> ReworkQuerySet:
    """What the annotator has to look at again in the dataset, the longest waiting first."""
    return Rework.objects.open().of(annotator).in_dataset(dataset)


def open_rework(*, annotator: User, pair_id: int) -> Rework | None:
    """What the annotator is asked about this pair of theirs, if they are."""
    asked = Rework.objects.open().of(annotator).filter(label__pair=pair_id)
    return asked.select_related("round__guideline").first()


def keep(*, annotator: User, pair_id: int, guideline_id: int | None) -> bool:
    """The annotator has looked again and stays with their label, made by this revision of the guidelines from now on.

    False where it did not wait for them any more: then nothing changes.
    """
    with transaction.atomic():
        asked = open_rework(annotator=annotator, pair_id=pair_id)
        if asked is None:
            return False
        label = _locked(pk=asked.label_id)
        if label.is_fixed:
            return False  # In this very moment: what they say now is not blind any more.
        if label.guideline_id != guideline_id:
            label.guideline_id = guideline_id
            label.save(update_fields=["guideline"])
        return close(label=label) is not None


def close(*, label: Label, replaced: LabelRevision | None = None) -> Rework | None:
    """End the rework of a label that its annotator has just decided, in the transaction that did it and has it locked.

    `replaced` is what the label said before, where it says something else now. None where nothing was open.
    """
    waiting = (
        Rework.objects.undecided()
        .filter(label=label)
        .select_related("sent_by", "round", "annotator", "dataset")
        .first()
    )
    if waiting is None:
        return None
    waiting.outcome = Rework.Outcome.CHANGED if replaced else Rework.Outcome.KEPT
    waiting.choice_after = label.choice
    # Withdrawn in this very moment: then that stands.
    ended = Rework.objects.undecided().filter(pk=waiting.pk)
    if not ended.update(done_at=timezone.now(), outcome=waiting.outcome, choice_after=label.choice):
        return None
    _ask_no_more(waiting)
    _tell_sender(waiting, label)
    return waiting


def _ask_no_more(ended: Rework) -> None:
    """Once nothing in the dataset waits for the annotator, what they were told of it asks for nothing."""
    # What is sent while this looks stays unread.
    until = timezone.now()
    if not waiting_for(ended.annotator, dataset=ended.dataset).exists():
        mark_read(person=ended.annotator, path=reverse("rework", args=[ended.dataset.slug]), until=until)


def _tell_sender(done: Rework, label: Label) -> None:
    """A reviewer hears of a label that they sent; of very many sent together, when the last is done."""
    pair = Pair.objects.select_related("dataset").get(pk=label.pair_id)
    if done.round is None:
        what = "kept" if done.outcome == Rework.Outcome.KEPT else "changed"
        text = f"{label.annotator} {what} their label of pair {pair.external_id} of {pair.dataset}."
        notify(people=[done.sent_by], text=text, path=reverse("pair", args=[pair.pk]))
        return
    # The last two of a round, decided at once, come one after the other.
    type(done.round).objects.select_for_update(no_key=True).get(pk=done.round_id)
    if not Rework.objects.undecided().filter(round=done.round_id).exists():
        text = f"All labels of {pair.dataset} that you sent back for another look are decided."
        path = f"{reverse('reworks', args=[pair.dataset.slug])}?round={done.round_id}"
        notify(people=[done.sent_by], text=text, path=path)


def _locked(*, pk: int) -> Label:
    labels = Label.objects.select_for_update(of=("self",)).select_related("pair__dataset", "annotator")
    return labels.get(pk=pk)
