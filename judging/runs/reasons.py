"""Which verdicts of a run are still to get their reason, where the run asks for the reasons of some only."""

import zlib

from django.db import connection

from judging.decisions import Bounds, gold_of
from judging.models import JudgeRun, Verdict
from judging.scores.policies import PRESETS

# Of a hundred pairs, by a hash of their number: those of one prompt are not all in the sample, and a resumed run's are
# the same.
SAMPLED = 10


def owed(run: JudgeRun) -> list[tuple[int, int]]:
    """(pair, verdict) of each whose reason the run asks for in its second pass, and that has none yet; by pair."""
    if run.reasons not in JudgeRun.SECOND_PASS:
        return []
    bare = Verdict.objects.filter(run=run, status=Verdict.Status.OK, raw="").order_by("pair", "pk")
    if run.reasons == JudgeRun.Reasons.DISAGREEMENTS:
        return list(bare.filter(pair__in=_disputed(run)).values_list("pair", "pk"))
    rows = bare.values_list("pair", "pk").iterator()
    return [(pair, pk) for pair, pk in rows if zlib.crc32(str(pair).encode()) % 100 < SAMPLED]


def _disputed(run: JudgeRun) -> list[int]:
    """Pairs on which a verdict is not people's gold, or the two orders' verdicts are not the same."""
    with connection.cursor() as cursor:
        cursor.execute(gold_of(run.dataset, PRESETS["default"], Bounds()))
        gold = dict(cursor.fetchall())
    said: dict[int, set[int]] = {}
    verdicts = Verdict.objects.filter(run=run, status=Verdict.Status.OK).order_by()
    for pair, choice in verdicts.values_list("pair", "choice").iterator():
        said.setdefault(pair, set()).add(choice)
    return [pair for pair, choices in said.items() if len(choices) > 1 or choices != {gold.get(pair, *choices)}]
