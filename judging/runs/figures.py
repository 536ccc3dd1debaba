"""What the page of a run shows of its verdicts: counts by status and choice, position, speed, cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Min, Sum

from annotation.models import Choice
from judging.models import JudgeRun, Verdict
from judging.runs.starting import wanted

CHOICES = {choice: choice.label for choice in (Choice.FIRST, Choice.SECOND, Choice.TIE)}


@dataclass(frozen=True)
class Share:
    """A count with its part of the whole, 0 to 100. key is how the review list names it."""

    key: str
    label: str
    n: int
    percent: float


@dataclass(frozen=True)
class RunFigures:
    """statuses and choices leave out what never came; first_shown is None without a choice of 1 or 2."""

    wanted: int
    verdicts: int
    pairs: int
    statuses: list[Share]
    choices: list[Share]
    first_shown: Share | None
    prompt_tokens: int | None
    answer_tokens: int | None
    cost: Decimal | None
    per_second: float | None

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.verdicts)

    @property
    def failed(self) -> int:
        return sum(share.n for share in self.statuses if share.key == Verdict.Status.FAILED)

    @property
    def unusable(self) -> int:
        """Verdicts without a choice."""
        return sum(share.n for share in self.statuses if share.key != Verdict.Status.OK)


def figures_of(run: JudgeRun) -> RunFigures:
    """Counted from the rows by two queries."""
    verdicts = Verdict.objects.filter(run=run)
    cells = verdicts.values("status", "choice", "swapped").annotate(n=Count("pk")).order_by()
    n = sum(cell["n"] for cell in cells)
    decided = [cell for cell in cells if cell["choice"] in {Choice.FIRST, Choice.SECOND}]
    ok = sum(cell["n"] for cell in cells if cell["choice"] is not None)
    sums = verdicts.aggregate(
        prompt=Sum("prompt_tokens"), answer=Sum("answer_tokens"), cost=Sum("cost"), since=Min("created_at")
    )
    return RunFigures(
        wanted=wanted(run) if run.job else n,
        verdicts=n,
        pairs=n // len(run.orders),
        statuses=_shares(cells, "status", dict(Verdict.Status.choices), n),
        choices=_shares([cell for cell in cells if cell["choice"] is not None], "choice", CHOICES, ok),
        first_shown=_first_shown(decided),
        prompt_tokens=sums["prompt"],
        answer_tokens=sums["answer"],
        cost=sums["cost"],
        per_second=_per_second(run, n, since=sums["since"]),
    )


def _shares(cells: list[dict], field: str, labels: dict, n: int) -> list[Share]:
    counts: dict[object, int] = {}
    for cell in cells:
        counts[cell[field]] = counts.get(cell[field], 0) + cell["n"]
    names = {Choice.TIE: "tie"}
    return [
        Share(str(names.get(key, key)), str(label), counts[key], 100 * counts[key] / n)
        for key, label in labels.items()
        if counts.get(key)
    ]


def _first_shown(decided: list[dict]) -> Share | None:
    n = sum(cell["n"] for cell in decided)
    # The pair's own terms, turned back into what the judge was shown.
    first = sum(cell["n"] for cell in decided if (cell["choice"] == Choice.FIRST) != cell["swapped"])
    return Share("first", "First one shown", first, 100 * first / n) if n else None


def _per_second(run: JudgeRun, n: int, *, since: datetime | None) -> float | None:
    """Verdicts of a run that is over, by the time of its job; None where an earlier job gave some of them."""
    job = run.job
    if job is None or job.started_at is None or job.finished_at is None or since is None or since < job.started_at:
        return None
    seconds = (job.finished_at - job.started_at).total_seconds()
    return n / seconds if seconds > 0 else None
