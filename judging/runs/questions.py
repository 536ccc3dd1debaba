"""From the rows to what a backend is asked, and from its answers back to rows.

Questions are in the order that the judge is shown, verdicts in the pair's own terms; `verdict_of` is the one place
where the first becomes the second.
"""

from decimal import Decimal

from annotation.models import Choice, Pair
from judging.backends import Settings
from judging.backends.base import Answer, Memory, Question
from judging.models import JudgeRun, Verdict


def settings_of(run: JudgeRun, *, memory: Memory | None = None, budget: Decimal | None = None) -> Settings:
    """What was frozen when the run was made, whatever has become of the judge since."""
    names = ("backend", "model", "revision", "template", "parameters")
    identity = run.frozen.get("identity") or {}
    facts = run.frozen["facts"] | ({"answers_as": identity["answers_as"]} if "answers_as" in identity else {})
    return Settings(
        **{name: run.frozen[name] for name in names},
        facts=facts,
        memory=memory,
        budget=budget,
        texts=run.frozen.get("texts"),
    )


def pairs_beyond(run: JudgeRun, after: int, limit: int) -> list[int]:
    """Numbers of the run's pairs behind that one, in order, at most so many."""
    pairs = Pair.objects.filter(dataset_id=run.dataset_id, pk__gt=after).order_by("pk")
    return list(pairs.values_list("pk", flat=True)[:limit])


def open_questions(run: JudgeRun, *, first: int, last: int) -> list[Question]:
    """What has no verdict yet, of the pairs from the one number to the other, in their order."""
    verdicts = Verdict.objects.filter(run=run, pair__gte=first, pair__lte=last).order_by()
    there: dict[int, set[bool]] = {}
    for pair, swapped in verdicts.values_list("pair_id", "swapped"):
        there.setdefault(pair, set()).add(swapped)
    whole = [pair for pair, orders in there.items() if len(orders) >= len(run.orders)]
    pairs = Pair.objects.filter(dataset_id=run.dataset_id, pk__gte=first, pk__lte=last).exclude(pk__in=whole)
    return [
        question_of(pair, swapped=swapped)
        for pair in pairs.select_related("prompt", "response_1", "response_2").order_by("pk")
        for swapped in run.orders
        if swapped not in there.get(pair.pk, ())
    ]


def question_of(pair: Pair, *, swapped: bool) -> Question:
    first, second = pair.response_1.text, pair.response_2.text
    if swapped:
        first, second = second, first
    prompt = pair.prompt
    return Question(pair.pk, swapped, prompt.instruction, prompt.input, first, second, prompt.reference)


def verdict_of(answer: Answer, *, run: JudgeRun) -> Verdict:
    """An answer in the pair's own terms. Texts stay as they are: "response 1" in a reason is the first one shown."""
    choice, p_1, p_2 = answer.choice, answer.p_first, answer.p_second
    if answer.swapped:
        choice, p_1, p_2 = (None if choice is None else Choice(choice).swapped), p_2, p_1
    return Verdict(
        run=run,
        pair_id=answer.pair_id,
        swapped=answer.swapped,
        choice=choice,
        status=answer.status,
        p_1=p_1,
        p_2=p_2,
        p_tie=answer.p_tie,
        reason=storable(answer.reason),
        reference=storable(answer.reference),
        raw=storable(answer.raw),
        prompt_tokens=answer.prompt_tokens,
        answer_tokens=answer.answer_tokens,
        seconds=answer.seconds,
        cost=answer.cost,
        altered=dict(answer.altered) or None,
    )


def storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half of a surrogate pair; both become the replacement character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
