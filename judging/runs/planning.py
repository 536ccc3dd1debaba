"""What a run would take before it is started: questions, tokens, and, of a judge behind a server, US dollars.

Tokens are estimated from a sample of the dataset's pairs: the very requests that would be sent are made, and their
texts' bytes are turned into tokens. How many bytes a token has is measured on earlier verdicts of the same model and
template, where there are some; else it is a rule of thumb.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from annotation.models import Dataset, Pair
from judging.backends.parameters import read_parameters
from judging.backends.requests import Request, Requests
from judging.models import ApiAnswer, Judge, JudgeRun, Verdict
from judging.prompts.versions import find_template
from judging.runs.prices import Prices, prices_of
from judging.runs.questions import question_of

SAMPLED_PAIRS = 200
MEASURED_VERDICTS = 200
# OpenAI's rule of thumb for English: about four characters a token. Bytes of UTF-8 follow other scripts better.
BYTES_A_TOKEN = 4.0
# A JSON object with a choice; one with a reason of one or two sentences and a short reference.
ANSWER_TOKENS, ANSWER_TOKENS_WITH_REASONS = 12, 180
# Of the normal distribution, for an interval of 95%.
Z = 1.96

_SAMPLE = """
SELECT id FROM annotation_pair WHERE dataset_id = %s ORDER BY hashint8extended(id, %s), id LIMIT %s
"""


@dataclass(frozen=True)
class Measure:
    """How texts become tokens. verdicts: how many it was measured on, 0 for the rule of thumb."""

    bytes_a_token: float
    answer_tokens: float
    verdicts: int

    @property
    def in_words(self) -> str:
        if not self.verdicts:
            return (
                f"{self.bytes_a_token:g} bytes a token, a rule of thumb, and {self.answer_tokens:g} tokens an answer: "
                "no earlier verdict of this model tells better"
            )
        return (
            f"{self.bytes_a_token:.2f} bytes a token and {self.answer_tokens:.0f} tokens an answer, as in "
            f"{self.verdicts} earlier verdicts of this model"
        )


@dataclass(frozen=True)
class RunPlan:
    """What a run would take. Tokens are of all questions; cost is in US dollars, of those that are still to be paid.

    prompt_low and prompt_high: a 95% interval for how the sampled pairs stand for all. known: the share of questions
    that any run was answered before. most_answer_tokens: of one answer, None where nothing limits it.
    """

    pairs: int
    questions: int
    sampled_pairs: int
    seed: int
    known: float
    prompt_tokens: float
    prompt_low: float
    prompt_high: float
    answer_tokens: float
    most_answer_tokens: int | None
    measure: Measure
    prices: Prices
    budget: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        return self._cost(self.prompt_tokens, self.answer_tokens)

    @property
    def cost_low(self) -> Decimal | None:
        return self._cost(self.prompt_low, self.answer_tokens)

    @property
    def cost_high(self) -> Decimal | None:
        return self._cost(self.prompt_high, self.answer_tokens)

    @property
    def cost_most(self) -> Decimal | None:
        """Where every answer is as long as it may be, and nothing is known."""
        if self.most_answer_tokens is None:
            return None
        return self._cost(self.prompt_high, self.questions * self.most_answer_tokens, known=0.0)

    @property
    def reach(self) -> float | None:
        """The share of the pairs that the budget reaches, 0 to 1; None without a budget or prices."""
        if self.budget is None or self.cost is None:
            return None
        return min(1.0, float(self.budget / self.cost)) if self.cost else 1.0

    @property
    def reached_pairs(self) -> int | None:
        return None if self.reach is None else math.floor(self.reach * self.pairs)

    @property
    def known_percent(self) -> float:
        return 100 * self.known

    @property
    def reach_percent(self) -> float | None:
        return None if self.reach is None else 100 * self.reach

    def _cost(self, prompt: float, answer: float, *, known: float | None = None) -> Decimal | None:
        price_in, price_out = self.prices
        if price_in is None or price_out is None:
            return None
        paid = 1 - (self.known if known is None else known)
        return Decimal(str(round(paid * (prompt * price_in + answer * price_out) / 1_000_000, 6)))


def plan_run(
    *, judge: Judge, dataset: Dataset, order: str, reasons: str, budget: Decimal | None = None, seed: int = 0
) -> RunPlan | None:
    """None for a judge that is asked nothing over a network: it costs no money. The same seed, the same sample."""
    if judge.backend != Judge.Backend.OPENAI:
        return None
    return plan_pairs(
        judge=judge,
        sample=_sampled(dataset, seed),
        pairs=Pair.objects.filter(dataset=dataset).count(),
        order=order,
        reasons=reasons,
        budget=budget,
        seed=seed,
    )


def plan_pairs(
    *,
    judge: Judge,
    sample: Sequence[Pair],
    pairs: int,
    order: str,
    reasons: str = JudgeRun.Reasons.NONE,
    budget: Decimal | None = None,
    seed: int = 0,
) -> RunPlan:
    """What a judge behind a server would take for so many pairs, of which a sample is at hand, stored or not."""
    parameters = read_parameters("openai", judge.parameters)
    asking = Requests(parameters, judge.model, find_template(judge.template))
    with_reasons = reasons == JudgeRun.Reasons.ALL
    orders = JudgeRun(order=order).orders
    requests = [
        asking.of(question_of(pair, swapped=turned), reasons=with_reasons) for pair in sample for turned in orders
    ]
    measure = _measure(judge, asking, with_reasons=with_reasons)
    # Both orders of a pair are as long, so a pair counts once for the interval.
    by_pair = [sum(map(_bytes, requests[n : n + len(orders)])) for n in range(0, len(requests), len(orders))]
    mean, margin = _mean(by_pair, of=pairs)
    tokens = [pairs * max(0.0, each) / measure.bytes_a_token for each in (mean, mean - margin, mean + margin)]
    questions = pairs * len(orders)
    return RunPlan(
        pairs=pairs,
        questions=questions,
        sampled_pairs=len(sample),
        seed=seed,
        known=_known(requests) if parameters.cache else 0.0,
        prompt_tokens=tokens[0],
        prompt_low=tokens[1],
        prompt_high=tokens[2],
        answer_tokens=questions * measure.answer_tokens,
        most_answer_tokens=requests[0].body.get("max_tokens") if requests else None,
        measure=measure,
        prices=prices_of(parameters, judge.model),
        budget=budget,
    )


def in_words(plan: RunPlan) -> list[str]:
    """For a terminal, a line a fact."""
    lines = [
        f"Questions: {plan.questions:,} on {plan.pairs:,} pairs",
        f"Prompt tokens: about {plan.prompt_tokens:,.0f} ({plan.prompt_low:,.0f} to {plan.prompt_high:,.0f})",
        f"Answer tokens: about {plan.answer_tokens:,.0f}",
        f"Estimated from {plan.sampled_pairs} pairs (seed {plan.seed}): {plan.measure.in_words}.",
    ]
    if plan.known:
        lines.append(f"Answered before, and not paid again: about {plan.known_percent:.0f}%")
    if plan.cost is None:
        return [*lines, "Cost: not known. Give price_in and price_out in a new judge."]
    lines.append(f"Cost in US dollars: about {plan.cost:,.2f} ({plan.cost_low:,.2f} to {plan.cost_high:,.2f})")
    if plan.cost_most is not None:
        lines.append(f"At most, if every answer is as long as it may be: {plan.cost_most:,.2f}")
    if plan.reach is not None:
        words = "reaches all pairs" if plan.reach >= 1 else f"reaches about {plan.reached_pairs:,} pairs"
        lines.append(f"The budget of {plan.budget:,.2f} {words} ({plan.reach_percent:.0f}%).")
    return lines


def _sampled(dataset: Dataset, seed: int) -> list[Pair]:
    with connection.cursor() as cursor:
        cursor.execute(_SAMPLE, [dataset.pk, seed, SAMPLED_PAIRS])
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Pair.objects.select_related("prompt", "response_1", "response_2").filter(pk__in=ids).order_by("pk"))


def _measure(judge: Judge, asking: Requests, *, with_reasons: bool) -> Measure:
    """On verdicts of judges that ask this model by this template, with or without reasons as is wanted now."""
    usual = ANSWER_TOKENS_WITH_REASONS if with_reasons else ANSWER_TOKENS
    alike = JudgeRun.objects.filter(
        judge__backend=judge.backend, judge__model=judge.model, judge__template=judge.template
    )
    alike = alike.filter(reasons="all") if with_reasons else alike.exclude(reasons="all")
    runs = list(alike.order_by("-pk").values_list("pk", flat=True)[:20])
    told = Verdict.objects.filter(run__in=runs, prompt_tokens__gt=0, answer_tokens__gt=0, cost__isnull=False)
    told = list(told.select_related("pair__prompt", "pair__response_1", "pair__response_2")[:MEASURED_VERDICTS])
    if not told:
        return Measure(BYTES_A_TOKEN, float(usual), 0)
    sent = sum(_bytes(asking.of(question_of(each.pair, swapped=each.swapped), reasons=with_reasons)) for each in told)
    return Measure(
        sent / sum(each.prompt_tokens for each in told), sum(each.answer_tokens for each in told) / len(told), len(told)
    )


def _bytes(request: Request) -> int:
    """Of the texts that are sent, in UTF-8."""
    texts: Sequence[str] = [
        request.body.get("prompt", ""),
        *(one["content"] for one in request.body.get("messages", ())),
    ]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _mean(values: Sequence[int], *, of: int) -> tuple[float, float]:
    """Of a sample without replacement of so many: the mean, and half the width of its 95% interval."""
    n = len(values)
    if not n:
        return 0.0, 0.0
    mean = math.fsum(values) / n
    if n < 2 or n >= of:
        return mean, 0.0 if n >= of else mean
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return mean, Z * math.sqrt(variance / n * (1 - n / of))


def _known(requests: Sequence[Request]) -> float:
    keys = {request.key for request in requests}
    return ApiAnswer.objects.filter(key__in=keys).count() / len(keys) if keys else 0.0
