"""The rows of the agreement page: every number with what the review list is asked for its pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlencode

from annotation.agreement import Measure, Splits
from annotation.raters import Stretch

# How the review list calls a choice.
NAMES = {0: "tie", 1: "1", 2: "2"}


class By(StrEnum):
    """How a person's labels are cut into stretches of time."""

    HUNDREDS = "hundreds"
    WEEKS = "weeks"


@dataclass(frozen=True)
class Rater:
    """A person, or a judge that is looked at as one. query: what the review list is asked for what they labelled."""

    name: str
    key: str
    run: int | None = None
    user: int | None = None

    @property
    def query(self) -> str:
        return f"run={self.run}" if self.run else f"annotator={self.user}"

    @property
    def rated(self) -> str:
        """What the review list is asked for the pairs that people labelled and this one has a choice on."""
        return self.query if self.user else urlencode({"run": self.run, "verdict": "any", "labels": "1-"})

    def says(self, choice: int, **more: object) -> str:
        said = {"verdict" if self.run else "choice": NAMES[choice]}
        return urlencode({self.key: self.run or self.user} | said | more)


def labelled(least: int, raters: Sequence[Rater]) -> str:
    """What the review list is asked for labelled pairs with so many labels or more, those of judges among them."""
    runs = ",".join(str(rater.run) for rater in raters if rater.run)
    return urlencode({"labels": f"{least}-"} | ({"raters": runs} if runs else {}))


@dataclass(frozen=True)
class Cell:
    """A number and the pairs that it counts, if the review list can tell them."""

    value: float
    query: str
    words: str


@dataclass(frozen=True)
class TwoRow:
    """A rater's kappas with all others: (measure, query, other's name), None in its own column."""

    rater: Rater
    cells: list[tuple[Measure, str, str] | None]


@dataclass(frozen=True)
class RestRow:
    """cells: nine counts, by what the rest says and then by what the rater says, each in the order 1, tie, 2.

    compared, differ: what the review list is asked for the pairs on which both speak, and for those where they differ.
    """

    rater: Rater
    agreement: Measure
    kappa: Measure
    compared: str
    differ: str
    cells: list[Cell]

    @property
    def differs(self) -> int:
        """Pairs; every fourth of the nine is one on which both say the same."""
        return int(sum(cell.value for number, cell in enumerate(self.cells) if number % 4))


@dataclass(frozen=True)
class ModelRow:
    """cells: nine probabilities by the most probable truth and what was said. right: the chance to say what is true."""

    rater: Rater
    right: float
    cells: list[Cell]


@dataclass(frozen=True)
class TimeRow:
    rater: Rater
    n: int
    lower: float
    median: float
    upper: float

    @property
    def faster(self) -> str:
        return f"{self.rater.query}&seconds=-{self.lower:.10g}"

    @property
    def slower(self) -> str:
        return f"{self.rater.query}&seconds={self.upper:.10g}-"

    @property
    def slower_half(self) -> str:
        return f"{self.rater.query}&seconds={self.median:.10g}-"

    @property
    def known(self) -> str:
        return f"{self.rater.query}&seconds=0-"


@dataclass(frozen=True)
class DriftRow:
    rater: Rater
    stretch: Stretch

    @property
    def first(self) -> datetime:
        return datetime.fromtimestamp(self.stretch.first, UTC)

    @property
    def last(self) -> datetime:
        return datetime.fromtimestamp(self.stretch.last, UTC)

    @property
    def query(self) -> str:
        # Times are kept to the microsecond, and the end of a range is not part of it.
        ends = {"since": self.stretch.first, "until": self.stretch.last + 2e-6}
        said = {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in ends.items()}
        return urlencode({"annotator": self.rater.user} | said)

    @property
    def compared(self) -> str:
        return f"{self.query}&rest=any"


@dataclass(frozen=True)
class SliceRow:
    """Pairs of one kind that have two labels or more, and how raters agree on them."""

    name: str
    pairs: int
    raw: Measure
    alpha: Measure
    query: str


@dataclass(frozen=True)
class SideRow:
    rater: Rater
    left: int
    right: int
    share: Measure


@dataclass(frozen=True)
class RevealRow:
    rater: Rater
    seen: int
    changed: int
    share: Measure


@dataclass(frozen=True)
class AgreementNumbers:
    raters: list[Rater]
    pairs: int
    labels: int
    most_labels: int
    prompts: int
    bootstrapped: bool
    overall: dict[str, Measure]
    splits: Splits
    two: list[TwoRow]
    rest: list[RestRow]
    model: list[ModelRow]
    model_prior: list[Cell]
    model_converged: bool
    times: list[TimeRow]
    drift: list[DriftRow]
    by: By
    sources: list[SliceRow]
    sources_left_out: int
    lengths: list[SliceRow]
    sides: list[SideRow]
    reveals: list[RevealRow]

    @property
    def split(self) -> int:
        """Pairs on which people differ."""
        return self.splits.majority + self.splits.none

    @property
    def several(self) -> str:
        """What the review list is asked for the pairs with two labels or more, those of judges among them."""
        return labelled(2, self.raters)

    @property
    def most(self) -> str:
        """And for those that have as many labels as any."""
        return labelled(max(self.most_labels, 2), self.raters)

    @property
    def people(self) -> list[Rater]:
        return [rater for rater in self.raters if rater.user]
