"""What servers were paid for: one row an answer, the memory of all runs and the ledger of what was spent."""

from django.db import models
from django.db.models import F

from judging.models.judges import Judge, JudgeRun


class ApiBatch(models.Model):
    """Questions that were sent as one file, to be answered within a day; found again by whichever attempt comes next.

    file, batch: the server's names for them; batch is "" until the server has been asked for it.
    """

    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="batches")
    file = models.CharField(max_length=200)
    batch = models.CharField(max_length=200, blank=True)
    questions = models.PositiveIntegerField()
    outcome = models.CharField(max_length=20, blank=True, help_text="As the server calls it; blank until it is read.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "file"], name="api_batch_once_a_file")]

    def __str__(self) -> str:
        return self.batch or self.file


class ApiAnswer(models.Model):
    """What a server answered to one question.

    key: a hash of the whole request, so that no run asks it again; none where the judge wants to be asked each time.
    """

    key = models.CharField(max_length=64, null=True, unique=True)
    judge = models.ForeignKey(Judge, models.PROTECT, related_name="answers", db_index=False)
    # A removed run leaves its answers: they are paid for.
    run = models.ForeignKey(JudgeRun, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    said = models.JSONField(help_text="Text, refusal, how it ended, the model's own name, tokens with alternatives.")
    prompt_tokens = models.PositiveIntegerField(null=True)
    answer_tokens = models.PositiveIntegerField(null=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, help_text="US dollars; null if not known.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(F("judge"), F("created_at"), name="api_answer_by_judge")]

    def __str__(self) -> str:
        return f"Answer {self.pk} of {self.judge}"
