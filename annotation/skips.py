"""Pairs that somebody passed on because they did not want to decide them."""

from django.db.models import QuerySet

from annotation.controls import MET
from annotation.models import Pair, Skip
from annotation.reveal import AUDITED, SEEN

# What stands as reason where somebody is kept from a pair because they know too much of it: nobody's wish, no skip.
KEPT_BACK = [MET, SEEN, AUDITED]


def passed_on(pair: Pair) -> QuerySet[Skip]:
    return Skip.objects.filter(pair=pair).exclude(reason__in=KEPT_BACK)
