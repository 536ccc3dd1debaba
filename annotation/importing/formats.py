"""The formats that are read, and which of them a row is in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from annotation.importing import others, pandalm, tiebreak
from annotation.importing.fields import Fields
from annotation.importing.options import AUTO, Options
from annotation.importing.problems import UnreadableError, beginning
from annotation.importing.rows import PairRow, ReferenceRow


@dataclass(frozen=True, slots=True)
class Format:
    """`names_people` is False where raters are numbered columns: inactive accounts are made for them unasked."""

    name: str
    title: str
    recognises: Callable[[dict[str, Any]], bool]
    parse: Callable[[Fields, Options], PairRow | ReferenceRow | None]
    names_people: bool = True
    purpose: str = "test"


# The first that recognises a row is taken, so the narrow ones come first.
FORMATS = {
    each.name: each
    for each in [
        Format("pandalm-train", "PandaLM training data", pandalm.is_train, pandalm.parse_train, purpose="train"),
        Format("pandalm-verdicts", "PandaLM verdicts", pandalm.is_verdicts, pandalm.parse_verdicts),
        Format("pandalm-testset", "PandaLM test set", pandalm.is_testset, pandalm.parse_testset, names_people=False),
        Format(
            "mt-bench", "FastChat MT-bench judgments", others.is_mt_bench, others.parse_mt_bench, names_people=False
        ),
        Format("alpaca-eval", "AlpacaEval annotations", others.is_alpaca_eval, others.parse_alpaca_eval),
        Format("preferences", "Preference rows", others.is_preference, others.parse_preference, purpose="train"),
        Format("tiebreak", "Tiebreak", tiebreak.recognises, tiebreak.parse),
    ]
}
NAMES = (AUTO, *sorted(FORMATS, key=lambda name: (name != "tiebreak", name)))


def format_of(values: dict[str, Any], *, line: int, wanted: str) -> Format:
    """The wanted format, or the one that the keys of a first row tell. Raises UnreadableError if none does."""
    if wanted != AUTO:
        return FORMATS[wanted]
    for each in FORMATS.values():
        if each.recognises(values):
            return each
    names = ", ".join(NAMES[1:])
    message = (
        f"No known format has these keys: {beginning(', '.join(map(repr, values)))}. "
        f"A pair needs instruction, response1 and response2. Rename them, or choose the format: {names}."
    )
    raise UnreadableError(line, message)
