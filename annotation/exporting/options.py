"""What may be chosen about an export, and what is wrong with a choice."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class ExportError(ValueError):
    """A file that cannot be made as it was asked for; the text says what to choose instead."""


class Ties(StrEnum):
    """What becomes of a pair whose gold is a tie, in a format that wants one response to be the better one."""

    OUT = "out"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`policy` names the rule for gold, "" for none; `judge` whose verdicts are meant, "" for the only one there is."""

    policy: str = ""
    judge: str = ""
    ties: Ties = Ties.OUT
    spreadsheet: bool = False
    """Put an apostrophe before what a spreadsheet would run as a formula; then texts are not exact any more."""

    def told(self) -> dict[str, Any]:
        """As a manifest writes them; the policy stands there by itself."""
        return {name: value for name, value in asdict(self).items() if name != "policy"}
