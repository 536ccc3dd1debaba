from training.models.runs import AnswerChunk, Checkpoint, Examination, StepMetric, TrainingRun
from training.models.snapshots import Snapshot

__all__ = ["AnswerChunk", "Checkpoint", "Examination", "Snapshot", "StepMetric", "TrainingRun"]
