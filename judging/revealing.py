"""What judges said of a pair, for annotators to whom it is revealed."""

from annotation.models import Choice
from annotation.reveal import MachineSaid
from judging.models import Verdict


class JudgesOfPair:
    def said_of(self, *, pair_id: int) -> list[MachineSaid]:
        verdicts = Verdict.objects.filter(pair=pair_id).select_related("run__judge")
        newest: dict[tuple[int, bool], Verdict] = {}
        for verdict in verdicts.order_by("run__judge__name", "swapped", "run__created_at", "run"):
            newest[verdict.run.judge_id, verdict.swapped] = verdict
        return [_said(verdict) for verdict in newest.values()]


def _said(verdict: Verdict) -> MachineSaid:
    choice = None if verdict.choice is None else Choice(verdict.choice)
    of_choice = {Choice.TIE: verdict.p_tie, Choice.FIRST: verdict.p_1, Choice.SECOND: verdict.p_2}
    return MachineSaid(
        judge=verdict.run.judge.name,
        choice=choice,
        swapped=verdict.swapped,
        reason=verdict.reason,
        probability=None if choice is None else of_choice[choice],
    )
