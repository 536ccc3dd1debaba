"""One export while it is made: what it reads, and what it tells its manifest."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from annotation.exporting.options import Options
from annotation.exporting.reading import Exported, Reader
from annotation.models import Dataset, Label, User


@dataclass
class Work:
    """`rows` of the file, what was left out and why, and what else a format has to say in the manifest.

    gold_leaves_out: names of the people whose labels gold leaves out.
    """

    dataset: Dataset
    options: Options
    reader: Reader
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    gold_leaves_out: list[str] = field(default_factory=list)
    remarks: dict[str, Any] = field(default_factory=dict)

    def pairs(self) -> Iterator[Exported]:
        return iter(self.reader)

    def annotators(self) -> list[str]:
        """The names of those who labelled the dataset."""
        labelled = Label.objects.filter(pair__dataset=self.dataset).order_by().values("annotator").distinct()
        return list(User.objects.filter(pk__in=labelled).order_by("username").values_list("username", flat=True))
