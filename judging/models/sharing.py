"""Which attempt has which pairs of a run for itself, so that several workers share a run."""

from django.db import models

from judging.models.judges import JudgeRun


class Chunk(models.Model):
    """Pairs of a run, from the first number to the last, that one attempt has taken. Those of a stage never overlap.

    One that is not done and whose attempt has ended is anybody's. They are handed out anew when the run goes on.
    """

    class Stage(models.TextChoices):
        VERDICTS = "verdicts", "Verdicts"
        REASONS = "reasons", "Reasons behind verdicts that stand"

    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="chunks", db_index=False)
    stage = models.CharField(max_length=8, choices=Stage)
    first_pair = models.BigIntegerField()
    last_pair = models.BigIntegerField()
    attempt = models.ForeignKey("jobs.Attempt", models.SET_NULL, null=True, related_name="+")
    done = models.BooleanField(default=False, help_text="All that was to come of it is saved.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "stage", "first_pair"], name="chunk_begins_once"),
            models.UniqueConstraint(fields=["run", "stage", "last_pair"], name="chunk_ends_once"),
            models.CheckConstraint(
                condition=models.Q(first_pair__lte=models.F("last_pair")), name="chunk_begins_before_its_end"
            ),
            models.CheckConstraint(condition=models.Q(stage__in=["verdicts", "reasons"]), name="chunk_stage_known"),
        ]
        indexes = [
            models.Index(models.F("run"), condition=models.Q(done=False), name="chunk_open"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of pairs {self.first_pair} to {self.last_pair} of run {self.run_id}"
