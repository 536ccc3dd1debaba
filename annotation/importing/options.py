"""What a person decides about an import."""

from dataclasses import asdict, dataclass
from typing import Any, Self

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """None means: as the format, the file or the dataset has it."""

    format: str = AUTO
    purpose: str | None = None
    labels_per_pair: int | None = None
    judge: str | None = None
    replace: bool = False
    create_annotators: bool = False
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(**values)
