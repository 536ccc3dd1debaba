"""How people learn a dataset's guidelines and are found to follow them: pairs of which the answer is known."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation.models.corpus import Dataset, Pair
from annotation.models.labels import Choice


class Control(models.Model):
    """A pair with its right answer. Nobody fills a slot by it: answers to it are kept apart from labels."""

    class Use(models.TextChoices):
        PRACTICE = "practice", "Practice, with an explanation"
        QUALIFICATION = "qualification", "Qualification round"
        MIXED = "mixed", "Mixed in while people label"

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="controls")
    use = models.CharField(max_length=13, choices=Use)
    choice = models.PositiveSmallIntegerField(choices=Choice)
    explanation = models.TextField(blank=True, help_text="Markdown. Shown after the answer, in practice.")
    active = models.BooleanField(default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["pair", "use"], name="control_once_a_use"),
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="control_choice_known"),
            models.CheckConstraint(
                condition=Q(use__in=["practice", "qualification", "mixed"]), name="control_use_known"
            ),
        ]


class ControlAnswerQuerySet(models.QuerySet):
    def mixed_in(self) -> Self:
        """Of control pairs that stood among pairs to label."""
        return self.filter(control__use=Control.Use.MIXED)

    def mixed_into(self, dataset: Dataset) -> Self:
        return self.mixed_in().filter(control__pair__dataset=dataset)


class ControlAnswer(models.Model):
    """What a person answered, in the pair's own terms, and whether that was right at the time."""

    control = models.ForeignKey(Control, models.CASCADE, related_name="answers")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="control_answers")
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="Of the qualification round; of a mixed-in pair, how often it was decided anew."
    )
    choice = models.PositiveSmallIntegerField(choices=Choice)
    right = models.BooleanField()
    shown_swapped = models.BooleanField()
    rationale = models.TextField(blank=True)
    remarks = models.JSONField(
        default=dict, blank=True, help_text="What else was said, by the names of Label's fields."
    )
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, help_text="Its place among the pairs that the annotator took.")
    revealed_at = models.DateTimeField(null=True, help_text="As of a label: from then on it does not change.")
    audited_at = models.DateTimeField(null=True, help_text="As of a label.")
    reconsideration = models.JSONField(null=True, help_text="As of a label: the choice and rationale after that.")

    objects = ControlAnswerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["control", "annotator", "attempt"], name="control_answered_once"),
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="control_answer_choice_known"),
        ]
        indexes = [models.Index(fields=["annotator", "-created_at"], name="control_answer_latest")]

    @property
    def side_chosen(self) -> str:
        """What they chose, on the sides that they saw: "1" is the left one, "2" the right one, else "tie"."""
        return self._on_their_sides(self.choice)

    @property
    def side_right(self) -> str:
        """The right answer, likewise."""
        return self._on_their_sides(self.control.choice)

    def _on_their_sides(self, choice: int) -> str:
        said = Choice(choice)
        return (said.swapped if self.shown_swapped else said).label.lower()


class Standing(models.Model):
    """Where an annotator stands in a dataset that asks for a qualification or watches control pairs."""

    class State(models.TextChoices):
        LEARNING = "learning", "Learning"
        QUALIFIED = "qualified", "Qualified"
        FAILED = "failed", "Did not qualify"
        PAUSED = "paused", "Paused"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="standings")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="standings")
    state = models.CharField(max_length=9, choices=State, default=State.LEARNING)
    attempt = models.PositiveSmallIntegerField(default=1, help_text="Of the qualification round.")
    left_out = models.BooleanField(
        default=False, db_default=False, help_text="Their labels are kept, and gold does not count them."
    )
    left_out_note = models.TextField(blank=True, default="", db_default="", help_text="Why, in words for the person.")
    note = models.TextField(blank=True, help_text="Why this state, in words for the person.")
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "annotator"], name="standing_once_an_annotator")]
