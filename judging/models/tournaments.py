"""Ready answers of several generators on their way into a dataset of pairs."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from annotation.models import Dataset, User


class TournamentQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """For those who may bring data in."""
        return self if user.may_research else self.none()


class Tournament(models.Model):
    """Candidates are read by one job; another makes their pairs and starts the judges, all of it or nothing."""

    dataset_slug = models.SlugField(max_length=80, help_text="Of the dataset that it makes.")
    purpose = models.CharField(max_length=5, choices=Dataset.Purpose)
    dataset = models.OneToOneField(Dataset, models.SET_NULL, null=True, related_name="tournament")
    answered = models.ForeignKey(
        Dataset, models.SET_NULL, null=True, related_name="+", help_text="Whose prompts stored answers are to."
    )
    generators = models.JSONField(default=list, help_text="Names of those whose answers are in the database.")
    found = models.JSONField(default=dict, help_text="What the reading found: prompts, answers a generator, problems.")
    sample = models.JSONField(default=list, help_text="Texts of some pairs, by which a judge's price is estimated.")
    design = models.JSONField(default=dict, help_text="Which pairs, the seed, the judges, labels per pair.")
    reading = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    making = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TournamentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["test", "sweep"]), name="tournament_purpose_known"),
        ]

    def __str__(self) -> str:
        return f"Tournament {self.dataset_slug}"

    def get_absolute_url(self) -> str:
        return reverse("tournament", args=[self.pk])

    @property
    def is_read(self) -> bool:
        return bool(self.found) and not self.found["errors"]


class TournamentFile(models.Model):
    """The prompts, or one generator's answers."""

    tournament = models.ForeignKey(Tournament, models.CASCADE, related_name="files")
    generator = models.CharField(max_length=200, blank=True, help_text="Empty for the file of prompts.")
    file_name = models.CharField(max_length=255)
    # Empty once judging.tournaments has deleted it.
    file = models.FileField(upload_to="tournaments/", max_length=255)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tournament", "generator"], name="tournament_file_once_a_generator"),
        ]

    def __str__(self) -> str:
        return self.file_name
