"""After an annotator has decided a pair, they may see what others said of it. From then on their decision is fixed.

What they say after that is a second record: agreement uses the first, which was blind.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from django.db import transaction
from django.utils import timezone

from annotation.models import Choice, ControlAnswer, Dataset, Label, Pair, Reconsideration, Skip, Slot, User

NO_CHANGE = (
    "You have seen what others said of this pair, so your decision stays as it is. What you think now is said below it."
)


SEEN = "Has seen what others said of these responses"
AUDITED = "Has seen a judge's verdict on this pair in an audit"


class RevealedError(Exception):
    """The annotator has seen what others said: their label does not change any more."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody, or a judge, said of a pair. side is theirs in the terms of whoever reads: 1 stands left."""

    who: str
    side: str
    words: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class MachineSaid:
    """One judge's verdict in the pair's own terms."""

    judge: str
    choice: Choice | None
    """None where its answer could not be read."""
    swapped: bool
    reason: str
    probability: float | None


class Machines(Protocol):
    def said_of(self, *, pair_id: int) -> list[MachineSaid]:
        """The newest verdict of each judge, in each order that it was asked."""


_registered: list[Machines] = []


def register(machines: Machines) -> None:
    """By the package that keeps verdicts, because this one must not know it."""
    _registered[:] = [machines]


Decided = Label | ControlAnswer


def decided(*, user: User, dataset: Dataset, pair_id: int) -> Decided | None:
    """What this person decided of a pair of the dataset: a label, or an answer to a control pair mixed in."""
    label = Label.objects.filter(pair=pair_id, pair__dataset=dataset, annotator=user).first()
    if label:
        return label
    answers = ControlAnswer.objects.mixed_into(dataset).filter(control__pair=pair_id, annotator=user)
    return answers.order_by("-attempt").first()


def reveal(*, user: User, dataset: Dataset, pair_id: int) -> bool:
    """Lock the person's decision, so that they may see what others said. False where they have decided nothing.

    What is said of a pair is said of the same two responses wherever they stand together: there, too, this person's
    decisions are fixed, and they are not asked for one any more. Raises ValueError where the dataset does not reveal.
    """
    if not dataset.reveals:
        raise ValueError(f"{dataset} does not show what others said.")
    with transaction.atomic():
        if decided(user=user, dataset=dataset, pair_id=pair_id) is None:
            return False
        close_labelling(user=user, pair=Pair.objects.get(pk=pair_id), seen="revealed_at", reason=SEEN)
    return True


def close_labelling(*, user: User, pair: Pair, seen: Literal["revealed_at", "audited_at"], reason: str) -> None:
    """This person knows what somebody, or a judge, said of these two responses: nothing they decide is blind any more.

    In the open transaction. seen: the field that notes how they came to know; reason: why they are not given the pair
    any more, where they have not decided it.
    """
    responses = [pair.response_1_id, pair.response_2_id]
    twins = Pair.objects.filter(prompt=pair.prompt_id, response_1__in=responses, response_2__in=responses)
    # First what they hold and have not decided: a decision that comes in the meantime is stored before, or not at all.
    Slot.objects.claimed_by(user).filter(pair__in=twins).set_free()
    # A change that is under way holds the row: it is finished first, or finds it revealed.
    now = timezone.now()
    Label.objects.filter(pair__in=twins, annotator=user, **{seen: None}).update(**{seen: now})
    answers = ControlAnswer.objects.mixed_in().filter(control__pair__in=twins, annotator=user)
    # Held until the end, so that no further attempt is made of one.
    list(answers.select_for_update(of=("self",)).order_by("pk"))
    answers.filter(**{seen: None}).update(**{seen: now})
    Skip.objects.bulk_create(
        [Skip(pair=twin, annotator=user, reason=reason) for twin in twins.exclude(labels__annotator=user)],
        ignore_conflicts=True,
    )


def reconsider(*, user: User, dataset: Dataset, pair_id: int, choice: Choice, rationale: str) -> None:
    """Keep what the person thinks after the reveal, beside the decision, which stays. Said again, the latest counts.

    choice: in the pair's own terms. Raises ValueError where nothing was revealed to them.
    """
    with transaction.atomic():
        own = decided(user=user, dataset=dataset, pair_id=pair_id)
        if own is None or own.revealed_at is None:
            raise ValueError("Nothing was revealed to this person.")
        said = {"choice": choice, "rationale": rationale}
        if isinstance(own, Label):
            Reconsideration.objects.update_or_create(label=own, defaults=said | {"created_at": timezone.now()})
        else:
            own.reconsideration = said | {"choice": int(choice), "at": timezone.now().isoformat()}
            own.save(update_fields=["reconsideration"])


@dataclass(frozen=True, slots=True)
class Revealed:
    """own, second: the person's decision before and after, as on the buttons; second is empty where they said none."""

    own: str
    second: str
    second_words: str
    revealed_at: datetime
    peers: list[Said]
    judges: list[Said]


def revealed(*, own: Decided, pair_id: int, swapped: bool) -> Revealed:
    """What was said of the pair, on the sides that the reader saw. Only for a decision that is revealed.

    Peers have no names: who said it is nobody's business here. Who labels later is seen on a later visit.
    """
    if own.revealed_at is None:
        raise ValueError("This decision is not revealed.")
    second: Any = getattr(own, "reconsideration", None)
    if second is not None and not isinstance(second, dict):
        second = {"choice": second.choice, "rationale": second.rationale}
    machines = _registered[0].said_of(pair_id=pair_id) if _registered else []
    return Revealed(
        own=side_of(Choice(own.choice), swapped=swapped),
        second=side_of(Choice(second["choice"]), swapped=swapped) if second else "",
        second_words=second["rationale"] if second else "",
        revealed_at=own.revealed_at,
        peers=[
            Said(f"Annotator {number}", side_of(Choice(choice), swapped=swapped), words)
            for number, (choice, words) in enumerate(_peers(own, pair_id), start=1)
        ],
        judges=[_machine(said, swapped) for said in machines],
    )


def was_swapped(own: Decided) -> bool:
    """Whether response 2 stood left. An imported label may not say: then as its slot has it, as on the label page."""
    if isinstance(own, Label) and own.shown_swapped is None:
        return Slot.objects.get(pair=own.pair_id, annotator=own.annotator_id).swapped
    return bool(own.shown_swapped)


def _peers(own: Decided, pair_id: int) -> list[tuple[int, str]]:
    """Choice and words of the others; of a control pair by as many as at the pair that was decided beside it.

    It may have the labels of a whole team, or none at all: more or fewer than a pair that is being labelled can have.
    """
    labels = Label.objects.filter(pair=pair_id).exclude(annotator=own.annotator_id).order_by("pk")
    said = list(labels.values_list("choice", "rationale"))
    if isinstance(own, Label):
        return said
    answers = ControlAnswer.objects.filter(control=own.control_id, attempt=1).exclude(annotator=own.annotator_id)
    said += answers.order_by("pk").values_list("choice", "rationale")
    return said[: _peers_beside(own)]


def _peers_beside(own: ControlAnswer) -> int:
    decided = Slot.objects.decided_by(own.annotator).filter(dataset=own.control.pair.dataset_id)
    before = decided.filter(claimed_at__lt=own.taken_at) if own.taken_at else decided
    beside = before.first() or decided.last()
    if beside is None:
        return 0
    return Label.objects.filter(pair=beside.pair_id).exclude(annotator=own.annotator_id).count()


def _machine(said: MachineSaid, swapped: bool) -> Said:
    side = "" if said.choice is None else side_of(said.choice, swapped=swapped)
    # Which order it was asked in is told as it looks to the reader.
    order = "your order" if said.swapped == swapped else "the other order"
    return Said(f"{said.judge}, asked in {order}", side, said.reason, said.probability)


def side_of(choice: Choice, *, swapped: bool) -> str:
    """As on the buttons: 1 is the left response."""
    seen = choice.swapped if swapped else choice
    return {Choice.TIE: "tie", Choice.FIRST: "1", Choice.SECOND: "2"}[seen]
