"""Whether a run that repeats another gives what that one gave."""

from dataclasses import dataclass

from training.models import StepMetric, TrainingRun


@dataclass(frozen=True)
class Repeated:
    """steps: that both have. largest: by how much the losses of one of them differ at most."""

    other: TrainingRun
    steps: int
    largest: float

    @property
    def is_same(self) -> bool:
        return self.steps > 0 and self.largest == 0


def compare_losses(run: TrainingRun) -> Repeated | None:
    """Against the run that it repeats; None where it repeats none."""
    if run.repeats is None:
        return None
    losses = [dict(StepMetric.objects.filter(run=each).values_list("step", "loss")) for each in (run, run.repeats)]
    both = losses[0].keys() & losses[1].keys()
    largest = max((abs(losses[0][step] - losses[1][step]) for step in both), default=0.0)
    return Repeated(run.repeats, len(both), largest)
