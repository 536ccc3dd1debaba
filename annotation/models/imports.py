"""Files that were brought in, and what was wrong with them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F
from django.urls import reverse

from annotation.models.corpus import Dataset


class Import(models.Model):
    """One file on its way into a dataset. Its job does the work; its problems say what to mend."""

    dataset_slug = models.SlugField(max_length=80)
    dataset = models.ForeignKey(Dataset, models.SET_NULL, null=True, related_name="imports")
    file_name = models.CharField(max_length=255, help_text="As it was called where it came from.")
    # Empty once annotation.uploads has deleted it.
    file = models.FileField(upload_to="imports/", max_length=255)
    options = models.JSONField(default=dict, help_text="Format, purpose, judge, labels per pair, replace, dry run.")
    job = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="imports")
    created_at = models.DateTimeField(auto_now_add=True)
    summary = models.JSONField(default=dict, help_text="Counts of what was new, known, changed.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.file_name} into {self.dataset_slug}"

    def get_absolute_url(self) -> str:
        return reverse("import", args=[self.pk])

    @property
    def file_goes_at(self) -> datetime | None:
        """When the uploaded file may be deleted; None while it is needed, or once it is gone."""
        if not self.file or self.job is None or self.job.finished_at is None:
            return None
        return self.job.finished_at + timedelta(days=settings.UPLOAD_KEEP_DAYS)

    @property
    def unit(self) -> str:
        """What the lines of its problems count."""
        return self.summary.get("unit", "line")


class ImportProblem(models.Model):
    class Severity(models.TextChoices):
        ERROR = "error", "Error"
        WARNING = "warning", "Warning"

    source = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField(null=True, help_text="From 1; of a JSON array, the element.")
    field = models.CharField(max_length=100, blank=True)
    severity = models.CharField(max_length=7, choices=Severity)
    message = models.TextField(help_text="What is wrong and what to do about it.")
    value = models.TextField(blank=True, help_text="The beginning of what stood there.")

    class Meta:
        ordering = [F("line").asc(nulls_first=True), "id"]
