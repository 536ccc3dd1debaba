"""Control pairs mixed in while people label: to them, pairs like any other.

A control pair stands in front of the slot that its annotator has claimed: they answer it, and find the slot's pair
next. So all that the label page shows of pairs (progress, undo, the last decisions, drafts) has to know of both; this
module is where it asks. A dataset without control pairs costs a label nothing here.

Where control pairs stand is drawn from a key that nobody sees: one at random in each stretch of pairs, so that at
control_percent 20 every stretch of four pairs to label has one in front of one of them.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, QuerySet, Value
from django.db.models.functions import MD5, Cast, Concat
from django.utils.crypto import salted_hmac

from annotation import adjudication, assignment, controls, labeling
from annotation.labeling import Decided, Decision
from annotation.models import Choice, Control, ControlAnswer, Dataset, Draft, Label, Skip, Slot, User
from annotation.progress import Progress, own_progress
from annotation.reveal import RevealedError

_SALT = "annotation.mixing"
_JUST_BEFORE = timedelta(microseconds=1)
_LATEST = 10


# ---- where control pairs stand


def due(*, user: User, dataset: Dataset, number: int) -> bool:
    """Whether a control pair stands in front of the person's number-th pair to label, from 1."""
    stretch = _stretch(dataset.control_percent, number)
    return _place(user, dataset, stretch) == number


def due_up_to(*, user: User, dataset: Dataset, number: int) -> int:
    """How many stand in front of the first number pairs."""
    if number < 1:
        return 0
    stretch = _stretch(dataset.control_percent, number)
    return stretch - 1 + (_place(user, dataset, stretch) <= number)


def _end(percent: int, stretch: int) -> int:
    """The last pair of a stretch: with percent control pairs among all there are 100 - percent others."""
    return stretch * (100 - percent) // percent


def _stretch(percent: int, number: int) -> int:
    """The first stretch that ends at this pair or later."""
    return -(-number * percent // (100 - percent))


def _place(user: User, dataset: Dataset, stretch: int) -> int:
    before = _end(dataset.control_percent, stretch - 1)
    length = _end(dataset.control_percent, stretch) - before
    drawn = salted_hmac(_SALT, f"{dataset.pk}:{user.pk}:{stretch}", algorithm="sha256").digest()
    return before + 1 + int.from_bytes(drawn[:8], "big") % length


# ---- what is before the annotator


def in_front_of(*, user: User, dataset: Dataset, slot: Slot, progress: Progress) -> Slot:
    """The claimed slot, or what looks like one of a control pair that comes first. progress: of labels alone."""
    if not dataset.control_percent or not _waits(user, dataset, progress):
        return slot
    control = _pool(user, dataset).first()
    return slot if control is None else _as_slot(control, slot, user)


def _waits(user: User, dataset: Dataset, progress: Progress) -> bool:
    """A control pair is due here, and was not answered since the last label."""
    return due(user=user, dataset=dataset, number=progress.done + 1) and not _answered_since(user, dataset, progress)


def _answered_since(user: User, dataset: Dataset, progress: Progress) -> bool:
    answers = _answers(user, dataset).filter(attempt=1)
    if progress.latest is not None:
        last = Label.objects.filter(pair=progress.latest, annotator=user).values("created_at")
        answers = answers.filter(created_at__gt=last[:1])
    return answers.exists()


def _pool(user: User, dataset: Dataset) -> QuerySet[Control]:
    """Control pairs that the person has neither met nor labelled, in an order of their own."""
    return (
        Control.objects.filter(pair__dataset=dataset, use=Control.Use.MIXED, active=True)
        .exclude(pair__in=Slot.objects.filter(annotator=user, dataset=dataset).values("pair"))
        .exclude(pair__in=Skip.objects.filter(annotator=user).values("pair"))
        .order_by(MD5(Concat(Cast("pk", CharField()), Value(f":{user.pk}"))))
    )


def _as_slot(control: Control, behind: Slot, user: User) -> Slot:
    side = salted_hmac(_SALT, f"side:{control.pk}:{user.pk}").digest()[0] & 1
    return Slot(
        pair_id=control.pair_id,
        dataset_id=behind.dataset_id,
        annotator_id=user.pk,
        swapped=bool(side),
        state=Slot.State.CLAIMED,
        claimed_at=behind.claimed_at and behind.claimed_at - _JUST_BEFORE,
        expires_at=behind.expires_at,
    )


def own_slot(*, user: User, dataset: Dataset, pair_id: int, progress: Progress | None = None) -> Slot | None:
    """The slot of a pair that the annotator has before them or has decided; None for every other pair."""
    slot = Slot.objects.filter(dataset=dataset, annotator=user, pair=pair_id).first()
    if not dataset.control_percent or (slot and slot.state == Slot.State.DONE):
        return slot or decided_slot(user=user, dataset=dataset, pair_id=pair_id)
    open_slot = slot or Slot.objects.claimed_by(user).filter(dataset=dataset).first()
    if open_slot and progress:
        first = in_front_of(user=user, dataset=dataset, slot=open_slot, progress=progress)
        if first.pair_id == pair_id:
            return first
    return decided_slot(user=user, dataset=dataset, pair_id=pair_id)


def decided_slot(*, user: User, dataset: Dataset, pair_id: int) -> Slot | None:
    """An answered control pair, as if it were a slot."""
    answer = _answers(user, dataset).filter(control__pair=pair_id).order_by("-attempt").first()
    return answer and Slot(
        pair_id=pair_id,
        dataset_id=dataset.pk,
        annotator_id=user.pk,
        swapped=answer.shown_swapped,
        state=Slot.State.DONE,
        claimed_at=answer.taken_at,
    )


def label_of(*, user: User, pair_id: int) -> Label:
    """The label of a decided pair, or what looks like one. Raises ControlAnswer.DoesNotExist where there is neither."""
    label = Label.objects.filter(pair=pair_id, annotator=user).first()
    if label:
        return label
    answers = ControlAnswer.objects.mixed_in().filter(annotator=user, control__pair=pair_id)
    return _as_label(answers.select_related("control").order_by("-attempt")[:1].get())


def label_in(*, user: User, slot: Slot) -> Label | None:
    """The label that fills the slot, or what looks like one; None where there is none yet.

    The slot is turned to the side that they saw when they decided, and see again.
    """
    if slot.state != Slot.State.DONE:
        return None
    label = label_of(user=user, pair_id=slot.pair_id)
    if label.shown_swapped is not None:
        slot.swapped = label.shown_swapped
    return label


def _as_label(answer: ControlAnswer) -> Label:
    said = {name: answer.remarks.get(name) for name in ("aspects", "confidence", "flag")}
    return Label(
        pair_id=answer.control.pair_id,
        annotator_id=answer.annotator_id,
        choice=answer.choice,
        shown_swapped=answer.shown_swapped,
        rationale=answer.rationale,
        changed_at=answer.created_at,
        revealed_at=answer.revealed_at,
        audited_at=answer.audited_at,
        **said | {"aspects": said["aspects"] or {}, "flag": said["flag"] or ""},
    )


def _answers(user: User, dataset: Dataset) -> QuerySet[ControlAnswer]:
    return ControlAnswer.objects.mixed_into(dataset).filter(annotator=user)


# ---- deciding


def record(*, user: User, dataset: Dataset, pair_id: int, decision: Decision) -> bool:
    """As labeling.record_label, for a pair of either kind.

    A control pair is held as long as the slot behind it, and no longer.
    """
    control = _control(user, dataset, pair_id) if dataset.control_percent else None
    if control is None:
        return labeling.record_label(user=user, dataset=dataset, pair_id=pair_id, decision=decision)
    behind = Slot.objects.claimed_by(user).filter(dataset=dataset).first()
    # Whoever has answered it has passed it on as well, so that they are not given it to label.
    if behind is None or behind.claimed_at is None or control.passed_on:
        if _answers(user, dataset).filter(control=control).exists():
            return False
        raise assignment.NoClaimError
    return _answer(control, user, decision, taken_at=behind.claimed_at - _JUST_BEFORE)


def record_late(*, user: User, dataset: Dataset, pair_id: int, decision: Decision, shown_at: datetime) -> bool:
    """As labeling.record_late, for a pair of either kind: an answer to a control pair has always its place."""
    control = _control(user, dataset, pair_id) if dataset.control_percent else None
    if control is None:
        late = {"user": user, "dataset": dataset, "pair_id": pair_id, "decision": decision}
        return labeling.record_late(**late, shown_at=shown_at)
    _answer(control, user, decision, taken_at=shown_at)
    return True


def _answer(control: Control, user: User, decision: Decision, *, taken_at: datetime) -> bool:
    with transaction.atomic(savepoint=False):
        _, new = controls.answer(control=control, user=user, attempt=1, taken_at=taken_at, **_said(decision))
        Draft.objects.filter(pair=control.pair_id, annotator=user).delete()
    return new


def change(*, user: User, dataset: Dataset, pair_id: int, decision: Decision) -> None:
    """As labeling.change_label, for a pair of either kind. Of an answer, each decision is kept."""
    if Slot.objects.filter(pair=pair_id, annotator=user).exists():
        labeling.change_label(user=user, dataset=dataset, pair_id=pair_id, decision=decision)
        return
    with transaction.atomic():
        mine = _answers(user, dataset).filter(control__pair=pair_id).order_by("-attempt")
        answer = mine.select_for_update(of=("self",)).select_related("control").first()
        if answer is None:
            raise assignment.NoClaimError
        said = _said(decision)
        Draft.objects.filter(pair=pair_id, annotator=user).delete()
        if (answer.choice, answer.rationale, answer.remarks) == (said["choice"], said["rationale"], said["remarks"]):
            return
        if answer.revealed_at or answer.audited_at:
            raise RevealedError
        adjudication.check_open(pair_id=pair_id, annotator=user, decided_at=answer.created_at)
        attempt = answer.attempt + 1
        controls.answer(control=answer.control, user=user, attempt=attempt, taken_at=answer.taken_at, **said)


def _said(decision: Decision) -> dict[str, object]:
    said = decision.said
    remarks = {"aspects": said["aspects"], "confidence": said["confidence"], "flag": said["flag"]}
    return {
        "choice": said["choice"],
        "rationale": said["rationale"],
        "remarks": remarks,
        "swapped": decision.swapped,
        "seconds": decision.seconds,
    }


def skip(*, user: User, dataset: Dataset, pair_id: int, reason: str) -> None:
    """As assignment.skip, for a pair of either kind: only what is in view, and never what stands behind it."""
    slot = None
    if dataset.control_percent:
        progress = own_progress(user=user, dataset=dataset)
        slot = own_slot(user=user, dataset=dataset, pair_id=pair_id, progress=progress)
        if slot.state == Slot.State.DONE if slot else not labeling.was_passed_on(user=user, pair_id=pair_id):
            raise assignment.NoClaimError
    if slot is None or slot.pk:
        assignment.skip(user=user, dataset=dataset, pair_id=pair_id, reason=reason)
    else:
        Skip.objects.get_or_create(pair_id=pair_id, annotator=user, defaults={"reason": reason})


def _control(user: User, dataset: Dataset, pair_id: int) -> Control | None:
    """The control of this pair, unless the person has it to label; passed_on: whether they have passed it on."""
    if Slot.objects.filter(pair=pair_id, annotator=user).exists():
        return None
    mixed = Control.objects.filter(pair=pair_id, pair__dataset=dataset, use=Control.Use.MIXED, active=True)
    skips = Skip.objects.filter(pair=pair_id, annotator=user)
    return mixed.annotate(passed_on=Exists(skips)).first()


# ---- what lies behind


def seen_progress(*, user: User, dataset: Dataset, progress: Progress) -> Progress:
    """Progress with control pairs in it: each decision, of either kind, is one more of a whole that stays the same.

    What was answered stays in it when no more are mixed in: else it would tell how many there were, and which.
    """
    if not dataset.control_percent:
        if not progress.answered:
            return progress
        done, available = progress.done + progress.answered, progress.available + progress.answered
        return replace(progress, done=done, available=available, latest=_latest(user, dataset, before=None))
    answered = _answers(user, dataset).filter(attempt=1).count()
    ahead = due_up_to(user=user, dataset=dataset, number=progress.available)
    ahead -= due_up_to(user=user, dataset=dataset, number=progress.done)
    here = due(user=user, dataset=dataset, number=progress.done + 1)
    if ahead and here and _answered_since(user, dataset, progress):
        ahead -= 1
    ahead = min(ahead, _pool(user, dataset).count())
    done = progress.done + answered
    latest = _latest(user, dataset, before=None)
    return replace(progress, done=done, available=done + progress.available - progress.done + ahead, latest=latest)


def beside(*, user: User, dataset: Dataset, slot: Slot) -> tuple[int | None, int | None]:
    """The pairs of either kind that the annotator decided before and after this one, in the order they took them.

    An imported label has no place in that order: before it comes the latest decision.
    """
    before = _latest(user, dataset, before=slot.claimed_at)
    if slot.claimed_at is None:
        return before, None
    decided = Slot.objects.decided_by(user).filter(dataset=dataset, claimed_at__gt=slot.claimed_at)
    found = list(decided.order_by("claimed_at").values_list("claimed_at", "pair")[:1])
    later = _answers(user, dataset).filter(attempt=1, taken_at__gt=slot.claimed_at).order_by("taken_at")
    found += later.values_list("taken_at", "control__pair")[:1]
    return before, min(found)[1] if found else None


def _latest(user: User, dataset: Dataset, *, before: datetime | None) -> int | None:
    decided = Slot.objects.decided_by(user).filter(dataset=dataset)
    answers = _answers(user, dataset).filter(attempt=1, taken_at__isnull=False).order_by("-taken_at")
    if before is not None:
        decided, answers = decided.filter(claimed_at__lt=before), answers.filter(taken_at__lt=before)
    found = list(decided.values_list("claimed_at", "pair")[:1])
    found += answers.values_list("taken_at", "control__pair")[:1]
    return max(found)[1] if found else None


def latest_decisions(*, user: User, dataset: Dataset) -> list[Decided]:
    """As labeling.latest_decisions, of both kinds."""
    labels = labeling.latest_decisions(user=user, dataset=dataset)
    slots = Slot.objects.filter(annotator=user, pair__in=[each.pair_id for each in labels])
    taken = dict(slots.values_list("pair", "claimed_at"))
    found = [(taken[each.pair_id], each) for each in labels]
    newest = _answers(user, dataset).order_by("control_id", "-attempt").distinct("control_id")
    for answer in newest.select_related(*(f"control__pair__{name}" for name in labeling.SHOWN_OF_PAIR)):
        decided = Decided.of(
            pair=answer.control.pair,
            choice=Choice(answer.choice),
            swapped=answer.shown_swapped,
            flag=_as_label(answer).get_flag_display(),
            at=answer.created_at,
        )
        found.append((answer.taken_at, decided))
    return [each for _, each in sorted(found, key=lambda pair: pair[0], reverse=True)[:_LATEST]]
