"""Where verdicts from files go, and where an export finds them.

The package that keeps verdicts registers itself here, because this one must not know it.
"""

from typing import Any, Protocol

from annotation.importing.problems import Problems
from annotation.models import Dataset, User


class VerdictStore(Protocol):
    def check(self, *, dataset_id: int | None, replace: bool, problems: Problems) -> None:
        """Tell what the verdicts of the temporary table staged_verdict (see importing.staging) contradict."""

    def store(self, *, dataset: Dataset, replace: bool, created_by: User | None) -> dict[str, int]:
        """Store the verdicts of that table, in the open transaction; how many were new, known, changed."""

    def verdicts_of(self, *, dataset: Dataset, pair_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
        """By pair, each judge's newest verdict in each order, as docs/formats.md writes them."""

    def columns_of(self, *, dataset: Dataset) -> list[tuple[str, bool]]:
        """Judge and swapped of all verdicts on the dataset, in order."""

    def count(self, *, dataset: Dataset) -> int:
        """Of all verdicts on its pairs."""

    def count_audited(self, *, dataset: Dataset) -> int:
        """Of verdicts on its pairs about which an auditor has decided, in each audit anew."""

    def is_judging(self, *, dataset: Dataset) -> bool:
        """Whether a run over it, or the draw of an audit, is under way or waits for its worker."""


_registered: list[VerdictStore] = []


def register(store: VerdictStore) -> None:
    _registered[:] = [store]


def verdict_store() -> VerdictStore:
    if not _registered:
        raise RuntimeError("No app that keeps verdicts is installed: add judging to INSTALLED_APPS.")
    return _registered[0]
