"""PandaLM's files as they are: the test set, verdict files, and the shape of its training data.

https://github.com/WeOpenML/PandaLM
"""

import json
import re
from typing import Any

from annotation.importing.fields import Fields, as_choice
from annotation.importing.options import Options
from annotation.importing.rows import LabelRow, PairRow, ReferenceRow, VerdictRow

ANNOTATOR = re.compile(r"annotator\d+\Z")
DISTILLED_BY = "gpt-3.5-turbo"
# The prefix of a verdict file's columns, and whose verdicts they are.
JUDGES = {"gpt": DISTILLED_BY, "pandalm": "pandalm-7b"}
RESULT = "_result"


def is_testset(values: dict[str, Any]) -> bool:
    return {"instruction", "response1", "response2"} <= values.keys() and any(map(ANNOTATOR.match, values))


def parse_testset(fields: Fields, _options: Options) -> PairRow | None:
    generator_1, generator_2 = _generators(fields)
    return PairRow(
        external_id=fields.id("idx", required=True),
        instruction=fields.text("instruction", required=True),
        input=fields.text("input"),
        source=fields.text("motivation_app"),
        response_1=fields.text("response1", required=True),
        response_2=fields.text("response2", required=True),
        generator_1=generator_1,
        generator_2=generator_2,
        reference=fields.text("reference"),
        labels=_annotator_columns(fields),
        metadata=fields.metadata(),
    )


def _generators(fields: Fields) -> tuple[str, str]:
    """cmp_key names both, in order, with _ between them; model1 and model2 may say it where names hold a _."""
    key = fields.name("cmp_key", limit=401)
    if "model1" in fields or "model2" in fields:
        return fields.name("model1"), fields.name("model2")
    names = key.split("_")
    if not key:
        return "", ""
    if len(names) != 2 or not all(names):
        message = (
            "cmp_key must name two models as first_second. Where a name holds a _, give model1 and model2 instead."
        )
        fields.error("cmp_key", message, key)
        return "", ""
    return names[0], names[1]


def _annotator_columns(fields: Fields) -> list[LabelRow]:
    labels = []
    for name in filter(ANNOTATOR.match, fields.keys()):
        choice = fields.choice(name, required=False)
        if choice is not None:
            labels.append(LabelRow(name, choice))
    return labels


def is_verdicts(values: dict[str, Any]) -> bool:
    return "idx" in values and "instruction" not in values and any(name.endswith(RESULT) for name in values)


def parse_verdicts(fields: Fields, options: Options) -> ReferenceRow | None:
    external_id = fields.id("idx", required=True)
    prefixes = [name.removesuffix(RESULT) for name in fields.keys() if name.endswith(RESULT)]  # noqa: SIM118
    if len(prefixes) != 1:
        fields.error("", "A row of verdicts has one key that ends in _result, such as gpt_result.", list(fields.keys()))
        return None
    prefix = prefixes[0]
    judge = options.judge or JUDGES.get(prefix)
    if judge is None:
        fields.error(prefix + RESULT, f"Whose verdicts are these? Give the judge's name for {prefix!r} in the options.")
        return None
    verdict = _verdict(fields, prefix + RESULT, judge)
    verdict.reason = fields.text(f"{prefix}_reason")
    verdict.reference = fields.text(f"{prefix}_reference")
    for name in fields.rest():
        fields.error(name, "A row of verdicts has no such key. Remove it.", fields.take(name))
    return ReferenceRow(external_id, [verdict])


def is_train(values: dict[str, Any]) -> bool:
    return isinstance(values.get("inputs"), dict) and isinstance(values.get("outputs"), dict)


def parse_train(fields: Fields, options: Options) -> PairRow | None:
    inputs, outputs = fields.inside("inputs"), fields.inside("outputs")
    verdict = _verdict(outputs, "evaluation_result", options.judge or DISTILLED_BY)
    verdict.reason = outputs.text("evaluation_reason")
    verdict.reference = outputs.text("reference_response")
    pair = PairRow(
        external_id=fields.id("idx"),
        instruction=inputs.text("instruction", required=True),
        input=inputs.text("input"),
        response_1=inputs.text("response1", required=True),
        response_2=inputs.text("response2", required=True),
        verdicts=[verdict],
    )
    pair.metadata = fields.rest()
    # Kept where they stood, so that they come out as they went in.
    for name, part in (("inputs", inputs), ("outputs", outputs)):
        if rest := part.rest():
            pair.metadata[name] = rest
    return pair


def _verdict(fields: Fields, name: str, judge: str) -> VerdictRow:
    """Anything but 1, 2 and tie is an invalid verdict, with what stood there as its raw text."""
    if name not in fields:
        fields.error(name, f"{name} is missing. Every row of verdicts needs it.")
    value = fields.take(name)
    choice = as_choice(value)
    raw = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if choice is not None:
        return VerdictRow(judge, choice=choice)
    shown = fields.of("", {name: raw}).text(name)
    message = "Not 1, 2 or tie: kept as an invalid verdict with this as its raw text."
    fields.problems.warning(fields.line, fields.path + name, message, value)
    return VerdictRow(judge, choice=None, status="invalid", raw=shown)
