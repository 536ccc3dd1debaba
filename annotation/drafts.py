"""What is written about a pair and not yet sent: kept from keystroke to keystroke, gone once it is sent."""

from datetime import datetime

from django.utils import timezone

from annotation import assignment, mixing
from annotation.models import Dataset, Draft, Slot, User
from annotation.progress import own_progress
from annotation.remarks import Remarks


class OvertakenError(Exception):
    """The pair was decided since this was written: on a slow network, in another tab, on another device."""


def keep_draft(
    *, user: User, dataset: Dataset, pair_id: int, remarks: Remarks, decided_at: datetime | None
) -> datetime | None:
    """Put this in the place of what was kept. Somebody who writes is at work: their claim is extended.

    `decided_at` is of the decision that stood when it was written. Returns when it was saved; None where nothing is
    said any more. Raises NoClaimError where the annotator has no slot on this pair of the dataset (any more), and
    OvertakenError where another decision stands by now; then nothing is kept.
    """
    own = own_progress(user=user, dataset=dataset) if dataset.control_percent else None
    slot = mixing.own_slot(user=user, dataset=dataset, pair_id=pair_id, progress=own)
    if slot is None:
        raise assignment.NoClaimError
    # A decision may still come in between here and the write; the page (annotation/label_page.py) compares again.
    label = mixing.label_in(user=user, slot=slot)
    if (label and label.changed_at) != decided_at:
        raise OvertakenError
    if slot.state == Slot.State.CLAIMED:
        assignment.extend_claim(user=user, dataset=dataset)
    return _put(user, pair_id, remarks.stored(swapped=slot.swapped), decided_at)


def put_back(*, user: User, pair_id: int, remarks: Remarks, swapped: bool) -> None:
    """Keep what was said with a decision that counts for nothing: should the pair come back, the words are there."""
    _put(user, pair_id, remarks.stored(swapped=swapped), None)


def _put(user: User, pair_id: int, fields: dict[str, object], decided_at: datetime | None) -> datetime | None:
    if not fields:
        Draft.objects.filter(pair=pair_id, annotator=user).delete()
        return None
    values = {"fields": fields, "saved_at": timezone.now(), "decided_at": decided_at}
    return Draft.objects.update_or_create(pair_id=pair_id, annotator=user, defaults=values)[0].saved_at
