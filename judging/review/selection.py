"""The pairs that somebody means: those of a review list, or a single one."""

from annotation.models import Pair
from annotation.queueing import MOST, QueueError
from judging.decisions import Bounds
from judging.review.disagreement import matching, numbers
from judging.review.form import ReviewForm


def pairs_asked(form: ReviewForm, pair: str = "") -> list[int]:
    """Ids of the pairs that match the filters, or of the one pair of the dataset that is named.

    Raises QueueError where the filters are wrong, nothing matches, or more than may be sent at once.
    """
    if pair:
        known = pair.isascii() and pair.isdecimal() and len(pair) < 19
        ids = list(Pair.objects.filter(dataset=form.dataset, pk=pair).values_list("pk", flat=True)) if known else []
        if not ids:
            raise QueueError("This dataset has no such pair: go back to the list.")
        return ids
    if not form.is_valid():
        raise QueueError("These filters are wrong as they stand: go back to the list and mend them.")
    ids = numbers(matching(form.criteria, Bounds(), limit=MOST + 1))
    if not ids:
        raise QueueError("No pair matches these filters: go back to the list and remove one of them.")
    if len(ids) > MOST:
        raise QueueError(f"More than {MOST:,} pairs match. Narrow the filters: at most so many are sent at once.")
    return ids
