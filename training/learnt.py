"""How many samples of a snapshot a run learns from: those whose prompt leaves room for an answer within max_length."""

from dataclasses import dataclass

from training.models import Snapshot, TrainingRun


@dataclass(frozen=True)
class Fit:
    """whose: as "samples learnt", for the sentence. samples: those that fit. dropped: their prompt alone is too long.

    cut: those among the ones that fit which lost the end of their answer.
    """

    whose: str
    samples: int
    dropped: int
    cut: int

    @property
    def of(self) -> int:
        return self.samples + self.dropped

    def __str__(self) -> str:
        parts = [f"{self.samples:,} of {self.of:,} {self.whose}"]
        if self.dropped:
            parts.append(f"{self.dropped:,} too long for max length and left out")
        if self.cut:
            parts.append(f"{self.cut:,} cut")
        return "; ".join(parts)


def learnt_of(run: TrainingRun) -> Fit | None:
    """None before the run has counted them."""
    return _fit(run, "snapshot", "samples fit" if run.dry else "samples learnt")


def held_out_of(run: TrainingRun) -> Fit | None:
    """None before the run has counted them, and where nothing is held out."""
    return _fit(run, "held-out", "held-out samples used")


def counted_before(*, snapshot: Snapshot, base_model: str, revision: str, max_length: int) -> Fit | None:
    """What an earlier run of the same samples, in the same model's tokens and at the same length, has counted."""
    runs = TrainingRun.objects.filter(
        snapshot=snapshot,
        base_model=base_model,
        revision=revision,
        hyperparameters__max_length=max_length,
        found__has_key="tokens snapshot",
    )
    run = runs.first()
    return _fit(run, "snapshot", "samples fit") if run else None


def _fit(run: TrainingRun, name: str, whose: str) -> Fit | None:
    told = run.found.get(f"tokens {name}")
    return Fit(whose, told["samples"], told["dropped"], told["cut"]) if told else None
