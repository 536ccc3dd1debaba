from training.models.runs import Checkpoint, Examination, StepMetric, TrainingRun
from training.models.snapshots import Snapshot

__all__ = ["Checkpoint", "Examination", "Snapshot", "StepMetric", "TrainingRun"]
