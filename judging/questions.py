"""From the rows to what a backend is asked, and from its answers back to rows.

Questions are in the order that the judge is shown, verdicts in the pair's own terms; `verdict_of` is the one place
where the first becomes the second.
"""

from collections.abc import Iterator
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
    return Settings(**{name: run.frozen[name] for name in names}, facts=facts, memory=memory, budget=budget)


def open_questions(run: JudgeRun, *, chunk: int) -> Iterator[list[Question]]:
    """What has no verdict yet, about `chunk` questions at a time, in the order of the pairs: memory stays flat."""
    orders = (False, True) if run.order == JudgeRun.Order.BOTH else (False,)
    pairs = Pair.objects.filter(dataset_id=run.dataset_id).order_by("pk")
    after = 0
    while ids := list(pairs.filter(pk__gt=after).values_list("pk", flat=True)[: max(1, chunk // len(orders))]):
        after = ids[-1]
        there = set(
            Verdict.objects.filter(run=run, pair__gte=ids[0], pair__lte=ids[-1]).values_list("pair_id", "swapped")
        )
        missing = {pk: [swapped for swapped in orders if (pk, swapped) not in there] for pk in ids}
        texts = Pair.objects.select_related("prompt", "response_1", "response_2").in_bulk(
            [pk for pk, open_orders in missing.items() if open_orders]
        )
        questions = [question_of(texts[pk], swapped=swapped) for pk in ids if pk in texts for swapped in missing[pk]]
        if questions:
            yield questions


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
