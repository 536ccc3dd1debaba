"""Which pairs of a run the filters of distillation would leave out, and why."""

from django.db import models

from annotation.models import Pair
from judging.models.judges import JudgeRun


class FilterMark(models.Model):
    """A filter's word on a pair of a run. The pair and its verdicts stay what they are."""

    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="marks", db_index=False)
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="+")
    filter = models.CharField(max_length=13)
    words = models.TextField(blank=True, help_text="Why, of this very pair.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "filter", "pair"], name="filter_mark_once")]

    def __str__(self) -> str:
        return f"{self.filter}: {self.pair}"
