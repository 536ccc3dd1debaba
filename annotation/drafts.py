"""What is written about a pair and not yet sent: kept from keystroke to keystroke, gone once it is sent."""

from django.utils import timezone

from annotation import assignment, mixing
from annotation.models import Dataset, Draft, Slot, User
from annotation.progress import own_progress
from annotation.remarks import Remarks


def keep_draft(*, user: User, dataset: Dataset, pair_id: int, remarks: Remarks) -> bool:
    """Put this in the place of what was kept. Somebody who writes is at work: their claim is extended.

    False, and nothing kept, where the annotator has no slot on this pair of the dataset (any more).
    """
    own = own_progress(user=user, dataset=dataset) if dataset.control_percent else None
    slot = mixing.own_slot(user=user, dataset=dataset, pair_id=pair_id, progress=own)
    if slot is None:
        return False
    if slot.state == Slot.State.CLAIMED:
        assignment.extend_claim(user=user, dataset=dataset)
    if fields := remarks.stored(swapped=slot.swapped):
        values = {"fields": fields, "saved_at": timezone.now()}
        Draft.objects.update_or_create(pair_id=pair_id, annotator=user, defaults=values)
    else:
        Draft.objects.filter(pair=pair_id, annotator=user).delete()
    return True
