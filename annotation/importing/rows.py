"""What a format makes of a row: validated, in the corpus' own terms, ready to be staged."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Again:
    """What an annotator said after the reveal; the label stays as it was."""

    choice: int
    rationale: str = ""
    at: datetime | None = None


@dataclass(slots=True)
class LabelRow:
    """A person's choice, 1, 2 or 0 for a tie, in the pair's own order."""

    annotator: str
    choice: int
    swapped: bool | None = None
    rationale: str = ""
    flag: str = ""
    seconds: float | None = None
    at: datetime | None = None
    changed_at: datetime | None = None
    guideline: int | None = None
    confidence: int | None = None
    aspects: dict[str, int] = field(default_factory=dict)
    revealed_at: datetime | None = None
    audited_at: datetime | None = None
    again: Again | None = None


@dataclass(slots=True)
class LateRow:
    """A decision for which no slot was left when it came."""

    annotator: str
    choice: int
    swapped: bool = False
    rationale: str = ""
    seconds: float | None = None
    at: datetime | None = None


@dataclass(slots=True)
class VerdictRow:
    """A judge's choice in the pair's own order; None with a status that says why there is none."""

    judge: str
    swapped: bool = False
    choice: int | None = None
    status: str = "ok"
    p_1: float | None = None
    p_2: float | None = None
    p_tie: float | None = None
    reason: str = ""
    reference: str = ""
    raw: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    seconds: float | None = None
    cost: float | None = None
    at: datetime | None = None
    altered: dict[str, Any] | None = None


@dataclass(slots=True)
class PairRow:
    """A pair with all that is known of it. `external_id` is "" where it is to be made from the content."""

    instruction: str
    response_1: str
    response_2: str
    input: str = ""
    reference: str = ""
    source: str = ""
    generator_1: str = ""
    generator_2: str = ""
    external_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    labels: list[LabelRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    late: list[LateRow] = field(default_factory=list)


@dataclass(slots=True)
class ReferenceRow:
    """Verdicts on a pair that is in the dataset already."""

    external_id: str
    verdicts: list[VerdictRow]
