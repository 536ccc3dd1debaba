"""Which pairs of a run the filters of distillation would leave out, and filters of the review list with a name."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models import Dataset, Pair, User
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


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def visible_to(self, user: User) -> Self:
        """Their own, and what others share."""
        return self.filter(Q(owner=user) | Q(shared=True))


class SavedFilter(models.Model):
    """A filter of the review list under a name: somebody's own, or shared with all who review, who may change it."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="saved_filters")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_filters", db_index=False)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True, help_text="The filters as they stand in the address.")
    shared = models.BooleanField(
        default=False, db_default=False, help_text="Everybody who reviews sees and may change it."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "dataset", "name"], name="saved_filter_named_once"),
        ]

    def __str__(self) -> str:
        return self.name
