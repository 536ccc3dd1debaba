"""What an API judge has been told before, by any run, and what it was paid: the backend's way to the rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth

from judging.backends.base import SentBatch
from judging.backends.completions import Said
from judging.models import ApiAnswer, ApiBatch, Judge, JudgeRun
from judging.runs.questions import storable


class RunMemory:
    """The memory as one run uses it: it recalls what any run was told, and keeps what this one pays for."""

    def __init__(self, run: JudgeRun):
        self.run = run

    def recall(self, keys: Sequence[str]) -> dict[str, Said]:
        found = ApiAnswer.objects.filter(key__in=keys)
        return {answer.key: _said(answer) for answer in found if answer.key}

    def keep(self, answers: Sequence[tuple[str | None, Said, Decimal | None]]) -> None:
        """At once, not with the verdicts: whatever ends the run, only what was under way is paid for twice."""
        ApiAnswer.objects.bulk_create(
            [
                ApiAnswer(
                    key=key,
                    judge_id=self.run.judge_id,
                    run_id=self.run.pk,
                    said=_as_json(said),
                    prompt_tokens=said.prompt_tokens,
                    answer_tokens=said.answer_tokens,
                    cost=cost,
                )
                for key, said, cost in answers
            ],
            ignore_conflicts=True,
        )

    def open_batches(self) -> list[SentBatch]:
        """What earlier attempts sent and nobody has read."""
        rows = ApiBatch.objects.filter(run=self.run, outcome="").order_by("pk")
        return [SentBatch(row.file, row.batch, row.questions) for row in rows]

    def keep_batch(self, sent: SentBatch, *, outcome: str = "") -> None:
        """As it stands now; with an outcome, nobody follows it any more."""
        values = {"batch": sent.batch, "questions": sent.questions, "outcome": outcome}
        ApiBatch.objects.update_or_create(run=self.run, file=sent.file, defaults=values)


def spent(run: JudgeRun) -> Decimal:
    """US dollars that a run has paid so far, as far as prices are known."""
    return ApiAnswer.objects.filter(run_id=run.pk).aggregate(total=Sum("cost"))["total"] or Decimal(0)


def left_of_budget(run: JudgeRun) -> Decimal | None:
    """None where the run has no budget."""
    return None if run.budget is None else run.budget - spent(run)


@dataclass(frozen=True)
class Month:
    """What one judge's server was paid in a month. unpriced: answers whose cost nobody knows."""

    month: datetime
    judge: Judge
    answers: int
    prompt_tokens: int
    answer_tokens: int
    cost: Decimal
    unpriced: int


def ledger() -> list[Month]:
    """The latest month first."""
    months = (
        ApiAnswer.objects.annotate(month=TruncMonth("created_at"))
        .values("month", "judge")
        .annotate(
            answers=Count("pk"),
            prompt=Sum("prompt_tokens", default=0),
            answer=Sum("answer_tokens", default=0),
            paid=Sum("cost", default=Decimal(0)),
            unpriced=Count("pk", filter=Q(cost=None)),
        )
        .order_by("-month", "judge__name")
    )
    judges = Judge.objects.in_bulk({row["judge"] for row in months})
    rest = ("answers", "prompt", "answer", "paid", "unpriced")
    return [Month(row["month"], judges[row["judge"]], *(row[name] for name in rest)) for row in months]


def sum_of(months: Sequence[Month]) -> Decimal:
    return sum((month.cost for month in months), Decimal(0))


def _as_json(said: Said) -> dict[str, object]:
    whole = asdict(said)
    del whole["prompt_tokens"], whole["answer_tokens"]
    tokens = [(storable(token), {storable(other): p for other, p in others.items()}) for token, others in said.tokens]
    return whole | {"text": storable(said.text), "refusal": storable(said.refusal), "tokens": tokens}


def _said(answer: ApiAnswer) -> Said:
    tokens = [(token, others) for token, others in answer.said["tokens"]]
    counts = {"prompt_tokens": answer.prompt_tokens, "answer_tokens": answer.answer_tokens}
    return Said(**{**answer.said, "tokens": tokens, **counts})
