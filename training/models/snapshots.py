"""What is learnt from: a query over the rows as it was at one moment, kept as a file that never changes."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from annotation.models import User


class SnapshotQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """For those who review: it tells labels, which are hidden from annotators."""
        return self if user.may_review else self.none()

    def whole(self) -> Self:
        """Those whose file is there."""
        return self.exclude(sha256="")


class Snapshot(models.Model):
    """A recipe, and once its job is done, the file that came of it: its hash, and counts for the data card."""

    class Purpose(models.TextChoices):
        JUDGE = "judge", "Judge: learns verdicts"
        CANDIDATE = "candidate", "Candidate: learns to answer"

    name = models.CharField(max_length=100, unique=True)
    purpose = models.CharField(max_length=9, choices=Purpose)
    recipe = models.JSONField(help_text="What is in it and how it was made: training.recipes.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the training file; empty until it is there.")
    held_out_sha256 = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField(null=True, help_text="Samples to learn from.")
    held_out_count = models.PositiveIntegerField(null=True)
    stored = models.CharField(
        max_length=64, blank=True, db_default="", default="", help_text="Hash of its manifest in the store, if there."
    )
    card = models.JSONField(default=dict, help_text="What is in it, in numbers.")
    override = models.TextField(blank=True, help_text="Why it is used although prompts of test sets are in it.")
    job = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["judge", "candidate"]), name="snapshot_purpose_known"),
            models.CheckConstraint(
                condition=Q(sha256="", count=None, held_out_count=None)
                | (~Q(sha256="") & Q(count__gte=1, held_out_count__isnull=False)),
                name="snapshot_counted_when_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("snapshot", args=[self.pk])

    @property
    def is_whole(self) -> bool:
        return bool(self.sha256)
