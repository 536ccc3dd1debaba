"""How a snapshot is made, in full: the same recipe over the same rows gives the same file. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from training.script.config import Frozen

Leaks = Literal["refuse", "leave_out"]


class JudgeRecipe(Frozen):
    """Verdicts of one run of a judge: distilled labels.

    filters: whose marks leave a pair out (judging.filtering). corrections: what audits found is applied.
    swap: a copy of each sample with the responses exchanged, its reason reworded. references: share of samples that
    keep theirs. weights: an audit of a random sample; labels weigh by how often those of their stratum are right
    (judging.audits.weights). held_out: share of the prompts whose samples are kept aside. size: at most so many pairs.
    leaks: what becomes of prompts that test sets hold too.
    """

    kind: Literal["judge"] = "judge"
    run: int
    filters: list[str] = []
    corrections: bool = True
    swap: bool = True
    references: float = Field(1.0, ge=0, le=1)
    weights: int | None = None
    size: int | None = Field(None, ge=1)
    held_out: float = Field(0.02, ge=0, lt=1)
    leaks: Leaks = "refuse"
    seed: int = Field(0, ge=0, lt=2**31)


class CandidateRecipe(Frozen):
    """Answers to a dataset's prompts: its references, or what a generator wrote."""

    kind: Literal["candidate"] = "candidate"
    dataset: str
    generator: str | None = None
    size: int | None = Field(None, ge=1)
    held_out: float = Field(0.02, ge=0, lt=1)
    leaks: Leaks = "refuse"
    seed: int = Field(0, ge=0, lt=2**31)


Recipe = Annotated[JudgeRecipe | CandidateRecipe, Field(discriminator="kind")]
