"""Tiebreak's own rows: a pair with its labels and verdicts. CSV has the same names, one column a rater."""

import math
from typing import Any

from annotation.importing.fields import Fields
from annotation.importing.options import Options
from annotation.importing.rows import Again, LabelRow, LateRow, PairRow, VerdictRow
from annotation.models import Flag

REQUIRED = frozenset({"instruction", "response1", "response2"})
STATUSES = ("invalid", "refused", "too_long", "failed")
LABEL_COLUMN = "label:"
VERDICT_COLUMN = "verdict:"
SWAPPED_COLUMN = ":swapped"
LATE = "late_decisions"
JUDGE_CHARACTERS = 100
PROBABILITY_TOLERANCE = 1e-3


def recognises(values: dict[str, Any]) -> bool:
    return len(REQUIRED & values.keys()) >= 2


def parse(fields: Fields, options: Options) -> PairRow | None:
    pair = PairRow(
        external_id=fields.id("id"),
        instruction=fields.text("instruction", required=True),
        input=fields.text("input"),
        reference=fields.text("reference"),
        source=fields.text("source"),
        response_1=fields.text("response1", required=True),
        response_2=fields.text("response2", required=True),
        generator_1=fields.name("model1"),
        generator_2=fields.name("model2"),
        labels=[*_labels(fields), *_label_columns(fields)],
        verdicts=[*_verdicts(fields, options), *_verdict_columns(fields)],
        late=_late(fields),
    )
    pair.metadata = fields.metadata()
    return pair


def _labels(fields: Fields) -> list[LabelRow]:
    """The long form, a list of objects, or the short one, an object of annotator and choice."""
    given = fields.take("labels")
    if given in (None, ""):
        return []
    if isinstance(given, dict):
        return list(filter(None, (_short_label(fields.of("labels", given), name) for name in given)))
    if isinstance(given, list):
        return list(filter(None, (_label(fields, i, each) for i, each in enumerate(given))))
    fields.error("labels", 'labels must be a list of objects, or an object such as {"anna": 1, "ben": "tie"}.', given)
    return []


def _short_label(fields: Fields, name: str) -> LabelRow | None:
    annotator = fields.username(name, name)
    choice = fields.choice(name)
    return None if choice is None or not annotator else LabelRow(annotator, choice)


def _label(row: Fields, index: int, given: Any) -> LabelRow | None:
    if not isinstance(given, dict):
        row.error(f"labels[{index}]", 'A label must be an object such as {"annotator": "anna", "choice": 1}.', given)
        return None
    fields = row.of(f"labels[{index}]", given)
    annotator = fields.username("annotator", fields.take("annotator"))
    choice = fields.choice("choice")
    at = fields.moment("at")
    label = LabelRow(
        annotator=annotator,
        choice=choice or 0,
        swapped=fields.flag("swapped"),
        rationale=fields.text("rationale"),
        flag=_flag(fields),
        seconds=fields.number("seconds"),
        at=at,
        changed_at=fields.moment("changed_at") or at,
        guideline=fields.number("guideline", whole=True),
        confidence=_confidence(fields),
        aspects=_aspects(fields),
        revealed_at=fields.moment("revealed_at"),
        audited_at=fields.moment("audited_at"),
        again=_again(fields),
    )
    _refuse_unknown(fields, "label")
    return None if choice is None or not annotator else label


def _flag(fields: Fields) -> str:
    """A kind; files from before flags had one say true."""
    flag, flagged = fields.name("flag"), fields.flag("flagged")
    if flag and flag not in Flag.values:
        fields.error("flag", f"flag must be one of {', '.join(Flag.values)}, or left out.", flag)
        return ""
    return flag or (Flag.OTHER if flagged else "")


def _confidence(fields: Fields) -> int | None:
    confidence = fields.number("confidence", whole=True)
    if confidence is None or 1 <= confidence <= 3:
        return confidence
    fields.error("confidence", "confidence must be 1 (a guess), 2 (fairly sure), 3 (sure) or null.", confidence)
    return None


def _aspects(fields: Fields) -> dict[str, int]:
    """A choice by aspect."""
    given = fields.take("aspects")
    if given is None:
        return {}
    if not isinstance(given, dict):
        fields.error("aspects", 'aspects must be an object such as {"clarity": 1, "adherence": "tie"}.', given)
        return {}
    inside = fields.of("aspects", given)
    found = {name: inside.choice(name) for name in given}
    return {name: choice for name, choice in found.items() if choice is not None}


def _again(fields: Fields) -> Again | None:
    """What an annotator said after the reveal."""
    given = fields.take("reconsidered")
    if given is None:
        return None
    if not isinstance(given, dict):
        fields.error("reconsidered", 'reconsidered must be an object such as {"choice": 1, "rationale": ""}.', given)
        return None
    inside = fields.of("reconsidered", given)
    choice, rationale, at = inside.choice("choice"), inside.text("rationale"), inside.moment("at")
    _refuse_unknown(inside, "reconsidered label")
    return None if choice is None else Again(choice, rationale, at)


def _late(row: Fields) -> list[LateRow]:
    """Decisions for which no slot was left."""
    given = row.take(LATE)
    if given in (None, ""):
        return []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        row.error(LATE, f'{LATE} must be a list of objects such as {{"annotator": "anna", "choice": 1}}.', given)
        return []
    found = []
    for index, each in enumerate(given):
        fields = row.of(f"{LATE}[{index}]", each)
        annotator = fields.username("annotator", fields.take("annotator"))
        choice = fields.choice("choice")
        late = LateRow(
            annotator=annotator,
            choice=choice or 0,
            swapped=bool(fields.flag("swapped")),
            rationale=fields.text("rationale"),
            seconds=fields.number("seconds"),
            at=fields.moment("at"),
        )
        _refuse_unknown(fields, "late decision")
        if choice is not None and annotator:
            found.append(late)
    return found


def _verdicts(fields: Fields, options: Options) -> list[VerdictRow]:
    given = fields.take("verdicts")
    if given in (None, ""):
        return []
    if not isinstance(given, list):
        fields.error("verdicts", "verdicts must be a list of objects.", given)
        return []
    return list(filter(None, (_verdict(fields, i, each, options) for i, each in enumerate(given))))


def _verdict(row: Fields, index: int, given: Any, options: Options) -> VerdictRow | None:
    if not isinstance(given, dict):
        row.error(f"verdicts[{index}]", 'A verdict must be an object such as {"judge": "x", "choice": 1}.', given)
        return None
    fields = row.of(f"verdicts[{index}]", given)
    named = bool(given.get("judge"))
    judge = fields.name("judge", limit=JUDGE_CHARACTERS) or options.judge or ""
    if not judge and not named:
        fields.error("judge", "judge is missing: whose verdict is it? Write its name, or give one for the whole file.")
    choice, status = _outcome(fields)
    p_1, p_2, p_tie = _probabilities(fields)
    verdict = VerdictRow(
        judge=judge,
        swapped=bool(fields.flag("swapped")),
        choice=choice,
        status=status,
        p_1=p_1,
        p_2=p_2,
        p_tie=p_tie,
        reason=fields.text("reason"),
        reference=fields.text("reference"),
        raw=fields.text("raw"),
        prompt_tokens=fields.number("prompt_tokens", whole=True),
        answer_tokens=fields.number("answer_tokens", whole=True),
        seconds=fields.number("seconds"),
        cost=_cost(fields),
        at=fields.moment("at"),
        altered=_altered(fields),
    )
    _refuse_unknown(fields, "verdict")
    return verdict if judge else None


def _outcome(fields: Fields) -> tuple[int | None, str]:
    status = fields.take("status")
    if status in (None, "ok"):
        return fields.choice("choice"), "ok"
    if status not in STATUSES:
        fields.error("status", f"status must be ok, {', '.join(STATUSES)}.", status)
        fields.take("choice")
    elif fields.choice("choice", required=False) is not None:
        fields.error("choice", "A verdict whose status is not ok has no choice. Write null, or the status ok.")
    return None, str(status)


def _cost(fields: Fields) -> float | None:
    cost = fields.number("cost")
    if cost is not None and cost >= 1e6:
        fields.error("cost", "cost must be less than a million US dollars.", cost)
        return None
    return cost


def _altered(fields: Fields) -> dict[str, Any] | None:
    """How the texts that the judge saw differ from the pair's own."""
    given = fields.take("altered")
    if given is None:
        return None
    if not isinstance(given, dict):
        wanted = 'altered must be an object such as {"shortened_to": 1200, "escaped": ["### Evaluation:"]}.'
        fields.error("altered", wanted, given)
        return None
    inside = fields.of("altered", given)
    found = {"shortened_to": inside.number("shortened_to", whole=True), "escaped": inside.texts("escaped")}
    _refuse_unknown(inside, "verdict's altered")
    return {name: value for name, value in found.items() if value is not None} or None


def _probabilities(fields: Fields) -> tuple[float | None, float | None, float | None]:
    """Of 1, 2 and tie, all three or none; they must sum to 1 within PROBABILITY_TOLERANCE."""
    given = fields.take("probabilities")
    if given is None:
        return None, None, None
    wanted = 'probabilities must be {"1": p, "2": p, "tie": p}, each from 0 to 1, with the sum 1.'
    values = [given.get(name) for name in ("1", "2", "tie")] if isinstance(given, dict) and len(given) == 3 else [None]
    if not all(isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p <= 1 for p in values):
        fields.error("probabilities", wanted, given)
        return None, None, None
    total = math.fsum(values)
    if abs(total - 1) > PROBABILITY_TOLERANCE:
        fields.error("probabilities", f"{wanted} These sum to {total:.6g}.", given)
    return values[0], values[1], values[2]


def _refuse_unknown(fields: Fields, what: str) -> None:
    """Labels and verdicts have nowhere to keep keys without a meaning, so none is dropped in silence."""
    for name in fields.keys():  # noqa: SIM118 - Fields is no dict
        fields.error(name, f"A {what} has no such key. Remove it, or put it into the row itself.", fields.take(name))


def _label_columns(fields: Fields) -> list[LabelRow]:
    labels = []
    for column in [name for name in fields.keys() if name.startswith(LABEL_COLUMN)]:  # noqa: SIM118
        choice = fields.choice(column, required=False)
        annotator = fields.username(column, column.removeprefix(LABEL_COLUMN))
        if choice is not None and annotator:
            labels.append(LabelRow(annotator, choice))
    return labels


def _verdict_columns(fields: Fields) -> list[VerdictRow]:
    """`verdict:JUDGE` and `verdict:JUDGE:swapped` hold 1, 2, tie or a status."""
    verdicts = []
    for column in [name for name in fields.keys() if name.startswith(VERDICT_COLUMN)]:  # noqa: SIM118
        judge = column.removeprefix(VERDICT_COLUMN).removesuffix(SWAPPED_COLUMN)
        swapped = column.endswith(SWAPPED_COLUMN)
        if not 0 < len(judge) <= JUDGE_CHARACTERS:
            fields.error(column, f"A judge's name has 1 to {JUDGE_CHARACTERS} characters.", judge)
            continue
        value = fields.take(column)
        if value in STATUSES:
            verdicts.append(VerdictRow(judge, swapped, None, value))
        elif value not in (None, ""):
            choice = fields.of(column, {"choice": value}).choice("choice")
            verdicts.append(VerdictRow(judge, swapped, choice))
    return verdicts
