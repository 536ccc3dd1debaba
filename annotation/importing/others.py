"""Files of other projects: FastChat's MT-bench judgments, AlpacaEval annotations, preference rows."""

from typing import Any

from annotation.importing.fields import Fields
from annotation.importing.options import Options
from annotation.importing.rows import LabelRow, PairRow, VerdictRow

_MT_BENCH_WINNERS = {"model_a": 1, "model_b": 2, "tie": 0}


def is_mt_bench(values: dict[str, Any]) -> bool:
    return {"question_id", "model_a", "model_b", "winner", "conversation_a", "conversation_b"} <= values.keys()


def parse_mt_bench(fields: Fields, _options: Options) -> PairRow | None:
    """One judgment. A judge called author_* or expert_* is a person, any other a model.

    https://huggingface.co/datasets/lmsys/mt_bench_human_judgments
    """
    turn = fields.number("turn", whole=True) or 1
    question, model_1, model_2 = fields.id("question_id", required=True), fields.name("model_a"), fields.name("model_b")
    prompt, response_1 = _conversation(fields, "conversation_a", turn)
    _, response_2 = _conversation(fields, "conversation_b", turn)
    winner, judge = fields.take("winner"), fields.name("judge", limit=100)
    pair = PairRow(
        external_id=f"{question}:{turn}:{model_1}:{model_2}",
        instruction=prompt,
        response_1=response_1,
        response_2=response_2,
        generator_1=model_1,
        generator_2=model_2,
        metadata=fields.rest() | {"turn": turn},
    )
    is_person = judge.startswith(("author_", "expert_"))
    choice = _MT_BENCH_WINNERS.get(winner) if isinstance(winner, str) else None
    if is_person and choice is None:
        fields.error("winner", "winner must be model_a, model_b or tie.", winner)
    elif is_person:
        pair.labels = [LabelRow(fields.username("judge", judge), choice or 0)]
    elif not judge:
        fields.error("judge", "judge is missing: who decided this?")
    else:
        raw = "" if choice is not None else str(winner)
        pair.verdicts = [VerdictRow(judge, choice=choice, status="ok" if choice is not None else "invalid", raw=raw)]
    return pair


def _conversation(fields: Fields, name: str, turn: int) -> tuple[str, str]:
    """What was asked up to a turn, and the answer of that turn."""
    given = fields.take(name)
    messages = [m.get("content") for m in given if isinstance(m, dict)] if isinstance(given, list) else []
    if len(messages) < 2 * turn or not all(isinstance(text, str) for text in messages):
        message = f'{name} must be a list of {{"role", "content"}} with a question and an answer for each turn.'
        fields.error(name, message, given)
        return "", ""
    checked = fields.of(name, {"question": "\n\n".join(messages[: 2 * turn : 2]), "answer": messages[2 * turn - 1]})
    return checked.text("question"), checked.text("answer")


def is_alpaca_eval(values: dict[str, Any]) -> bool:
    return {"instruction", "output_1", "output_2"} <= values.keys()


def parse_alpaca_eval(fields: Fields, options: Options) -> PairRow | None:
    """One annotation: preference is 1, 2, or 1.5 (0 in old files) for a tie; null is an answer that was none.

    Between 1 and 2 it is 1 plus the probability that output_2 is better; https://github.com/tatsu-lab/alpaca_eval
    """
    pair = PairRow(
        instruction=fields.text("instruction", required=True),
        input=fields.text("input"),
        source=fields.text("dataset"),
        response_1=fields.text("output_1", required=True),
        response_2=fields.text("output_2", required=True),
        generator_1=fields.name("generator_1"),
        generator_2=fields.name("generator_2"),
    )
    if "preference" in fields:
        pair.verdicts = [_alpaca_verdict(fields, options)]
    pair.metadata = fields.rest()
    return pair


def _alpaca_verdict(fields: Fields, options: Options) -> VerdictRow:
    judge = fields.name("annotator", limit=100)
    verdict = VerdictRow(options.judge or judge)
    if not verdict.judge:
        fields.error("annotator", "annotator is missing: whose verdict is it? Give the judge's name in the options.")
    verdict.raw = fields.text("raw_completion")
    value = fields.take("preference")
    if value is None:
        verdict.status = "invalid"
    elif isinstance(value, bool) or not isinstance(value, int | float) or not (value == 0 or 1 <= value <= 2):
        fields.error("preference", "preference must be from 1 to 2, with 1.5 for a tie, or null.", value)
    elif value in (0, 1.5):
        verdict.choice = 0
    else:
        verdict.choice = 1 if value < 1.5 else 2
        if value not in (1, 2):
            verdict.p_1, verdict.p_2, verdict.p_tie = 2 - value, value - 1, 0.0
    return verdict


def is_preference(values: dict[str, Any]) -> bool:
    return {"prompt", "chosen", "rejected"} <= values.keys()


def parse_preference(fields: Fields, options: Options) -> PairRow | None:
    """The chosen response becomes response 1, and the row's verdict says 1."""
    return PairRow(
        external_id=fields.id("id"),
        instruction=fields.text("prompt", required=True),
        response_1=fields.text("chosen", required=True),
        response_2=fields.text("rejected", required=True),
        verdicts=[VerdictRow(options.judge or "preference", choice=1)],
        metadata=fields.rest(),
    )
