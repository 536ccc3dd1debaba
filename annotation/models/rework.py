"""What goes back to an annotator, and what people of the team are told."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from annotation.models.corpus import Dataset, Guideline
from annotation.models.labels import Choice, Label
from annotation.models.people import User


class ReworkRound(models.Model):
    """Labels of earlier guidelines that were sent back together, and how they were chosen."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="rework_rounds")
    guideline = models.ForeignKey(Guideline, models.CASCADE, related_name="+", help_text="The one to look again with.")
    revisions = models.JSONField(help_text="Numbers of the revisions whose labels were sent back; 0 is none at all.")
    annotators = models.JSONField(default=list, help_text="Ids of the people whose labels were sent back; empty: all.")
    sample = models.PositiveIntegerField(null=True, help_text="So many labels at most, drawn by the seed.")
    seed = models.PositiveIntegerField(default=0)
    comment = models.TextField(blank=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Labels of {self.dataset} for another look with revision {self.guideline.number}"


class ReworkQuerySet(models.QuerySet):
    def undecided(self) -> Self:
        """Those that stand open by themselves, whatever became of the pair since."""
        return self.filter(done_at=None)

    def open(self) -> Self:
        """Those that their annotator can decide.

        Once they have seen what others, or a judge, said, a label does not change, and nobody is asked any more.
        """
        return self.undecided().filter(label__revealed_at=None, label__audited_at=None)

    def overtaken(self) -> Self:
        """Those that nobody is asked about any more, though they were never decided."""
        return self.undecided().exclude(label__revealed_at=None, label__audited_at=None)

    def of(self, annotator: User) -> Self:
        return self.filter(annotator=annotator)

    def in_dataset(self, dataset: Dataset) -> Self:
        return self.filter(dataset=dataset)


class Rework(models.Model):
    """A label that its annotator is to look at again. The label stands until they decide; each time is kept."""

    class Reason(models.TextChoices):
        REVIEW = "review", "A reviewer asks"
        GUIDELINE = "guideline", "The guidelines have changed"

    class Outcome(models.TextChoices):
        CHANGED = "changed", "Decided again"
        KEPT = "kept", "Kept"
        WITHDRAWN = "withdrawn", "Withdrawn"

    label = models.ForeignKey(Label, models.CASCADE, related_name="reworks")
    # Copies of the label's, which never change: what waits for somebody in a dataset is one look into an index.
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+", db_index=False)
    reason = models.CharField(max_length=9, choices=Reason)
    comment = models.TextField(blank=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(default=timezone.now)
    round = models.ForeignKey(ReworkRound, models.CASCADE, null=True, related_name="reworks")
    choice_before = models.PositiveSmallIntegerField(choices=Choice, help_text="What the label said when it was sent.")
    guideline_before = models.ForeignKey(Guideline, models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True, help_text="When the annotator decided again, or kept the label.")
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)
    choice_after = models.PositiveSmallIntegerField(null=True, choices=Choice)

    objects = ReworkQuerySet.as_manager()

    class Meta:
        ordering = ["sent_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["label"], condition=Q(done_at=None), name="rework_one_open_a_label"),
            models.CheckConstraint(condition=Q(reason__in=["review", "guideline"]), name="rework_reason_known"),
            models.CheckConstraint(
                condition=Q(done_at=None, outcome="", choice_after=None)
                | Q(done_at__isnull=False, outcome="withdrawn", choice_after=None)
                | Q(done_at__isnull=False, outcome__in=["changed", "kept"], choice_after__isnull=False),
                name="rework_has_its_outcome",
            ),
        ]
        indexes = [
            models.Index(F("round"), condition=Q(done_at=None), name="rework_open_of_round"),
            models.Index(
                F("annotator"), F("dataset"), F("sent_at"), F("id"), condition=Q(done_at=None), name="rework_waiting"
            ),
            models.Index(F("annotator"), F("dataset"), F("done_at").desc(), name="rework_done_of_annotator"),
            models.Index(F("dataset"), F("sent_at").desc(), F("id").desc(), name="rework_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.label}, sent back"


class NotificationQuerySet(models.QuerySet):
    def unread(self) -> Self:
        return self.filter(read_at=None)


class Notification(models.Model):
    """A word to one person, with the page that it is about."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications")
    text = models.CharField(max_length=300)
    path = models.CharField(max_length=300, help_text="Of the page, on this site.")
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True, help_text="When to try to mail it next; empty: not to be mailed.")
    mail_tries = models.PositiveSmallIntegerField(default=0)
    mail_error = models.TextField(blank=True, help_text="What the mail server said the last time.")
    mailed_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["person", "-created_at"], condition=Q(read_at=None), name="notification_unread"),
            models.Index(F("person"), F("created_at").desc(), F("id").desc(), name="notification_latest"),
            models.Index(F("mail_at"), condition=Q(mail_at__isnull=False), name="notification_to_mail"),
        ]

    def __str__(self) -> str:
        return self.text
