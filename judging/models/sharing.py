"""Which attempt has which pairs of a run for itself, so that several workers share a run."""

from django.db import models

from jobs.models import AbstractChunk
from judging.models.judges import JudgeRun


class Chunk(AbstractChunk):
    """Pairs of a run."""

    class Stage(models.TextChoices):
        VERDICTS = "verdicts", "Verdicts"
        REASONS = "reasons", "Reasons behind verdicts that stand"

    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="chunks", db_index=False)
    stage = models.CharField(max_length=8, choices=Stage)
    first = models.BigIntegerField(db_column="first_pair")
    last = models.BigIntegerField(db_column="last_pair")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "stage", "first"], name="chunk_begins_once"),
            models.UniqueConstraint(fields=["run", "stage", "last"], name="chunk_ends_once"),
            models.CheckConstraint(condition=models.Q(first__lte=models.F("last")), name="chunk_begins_before_its_end"),
            models.CheckConstraint(condition=models.Q(stage__in=["verdicts", "reasons"]), name="chunk_stage_known"),
        ]
        indexes = [
            models.Index(models.F("run"), condition=models.Q(done=False), name="chunk_open"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of pairs {self.first} to {self.last} of run {self.run_id}"
