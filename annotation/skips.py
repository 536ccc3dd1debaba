"""Pairs that somebody passed on because they did not want to decide them."""

from django.db.models import Exists, OuterRef, QuerySet

from annotation.controls import MET
from annotation.models import Dataset, Pair, Skip
from annotation.reveal import AUDITED, SEEN

# What stands as reason where somebody is kept from a pair because they know too much of it: nobody's wish, no skip.
KEPT_BACK = [MET, SEEN, AUDITED]


def passed_on(pair: Pair) -> QuerySet[Skip]:
    return Skip.objects.filter(pair=pair).exclude(reason__in=KEPT_BACK)


def has_passed_on(dataset: Dataset) -> Exists:
    """A condition on users: they passed a pair of the dataset on."""
    own = Skip.objects.filter(annotator=OuterRef("pk"), pair__dataset=dataset)
    return Exists(own.exclude(reason__in=KEPT_BACK))
