"""Where gold under a named policy comes from.

The package that knows policies registers itself here, because this one must not know it.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from annotation.models import Dataset


@dataclass(frozen=True, slots=True)
class Gold:
    """Choices (0 is a tie, -1 is no gold) of all pairs of a dataset, whose ids are in rising order."""

    pair_ids: npt.NDArray[np.int64]
    choices: npt.NDArray[np.int8]


class GoldRule(Protocol):
    def policies(self) -> list[tuple[str, str]]:
        """Names of the policies to choose from, each with what gold is under it, in words."""

    def rules(self, policy: str) -> dict[str, str]:
        """The rules of a policy about gold, in words. Raises ValueError, with the names there are, for no policy."""

    def gold_of(self, *, dataset: Dataset, policy: str) -> Gold:
        """Gold of a dataset. Raises ValueError for a policy that does not exist."""


_registered: list[GoldRule] = []


def register(rule: GoldRule) -> None:
    _registered[:] = [rule]


def gold_rule() -> GoldRule:
    if not _registered:
        raise RuntimeError("No app that knows policies is installed: add judging to INSTALLED_APPS.")
    return _registered[0]
