"""Audits: people look again at labels that a judge gave, blind first, and say whether each of them is right."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.urls import reverse
from django.utils import timezone

from annotation.models import Choice, Dataset, Pair, User
from judging.models.judges import JudgeRun, Verdict


class AuditQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """For those who review. What an annotator is given of an audit holds no verdict: see `audited_by`."""
        return self if user.may_review else self.none()

    def audited_by(self, user: User) -> Self:
        """Open audits of the datasets in whose team this annotator is, once drawn; labels need not be wanted there."""
        if not user.may_label:
            return self.none()
        team = Dataset.objects.filter(Q(everyone_labels=True) | Q(annotators=user))
        return self.filter(dataset__in=team, closed_at=None, asked__isnull=True)


class Audit(models.Model):
    """Labels of one judge run, drawn once: the draw, and how it was made, never change."""

    class Mode(models.TextChoices):
        SAMPLE = "sample", "Random sample"
        SUSPICIOUS = "suspicious", "Suspicious first"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="audits")
    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="audits")
    mode = models.CharField(max_length=10, choices=Mode)
    seed = models.BigIntegerField(default=0)
    size = models.PositiveIntegerField(help_text="Labels that were asked for; there may be fewer.")
    recipe = models.JSONField(default=dict, help_text="How labels were chosen, with the cut points that came out.")
    asked = models.JSONField(null=True, help_text="How its labels are to be drawn, until they are.")
    job = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+", help_text="Draws the labels.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, help_text="From then on nobody is given any of its labels.")

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(mode__in=["sample", "suspicious"]), name="audit_mode_known"),
            models.CheckConstraint(condition=Q(size__gte=1), name="audit_not_empty"),
        ]

    def __str__(self) -> str:
        return f"Audit {self.pk} of {self.run}"

    def get_absolute_url(self) -> str:
        return reverse("audit", args=[self.pk])

    @property
    def is_drawn(self) -> bool:
        return self.asked is None

    @property
    def as_asked(self) -> dict[str, object]:
        """What its form was filled in with, while its labels are not drawn."""
        return {"mode": self.mode, "run": self.run_id, "size": self.size, "seed": self.seed, **(self.asked or {})}

    @property
    def is_sample(self) -> bool:
        return self.mode == self.Mode.SAMPLE


class AuditStratum(models.Model):
    """A part of the run's labels that was drawn from by itself, as large as it was when the audit was drawn."""

    audit = models.ForeignKey(Audit, models.CASCADE, related_name="strata", db_index=False)
    number = models.PositiveIntegerField()
    cells = models.JSONField(default=dict, help_text="By what the strata are made, and what holds in this one.")
    population = models.PositiveIntegerField(help_text="Labels of the run in it.")
    drawn = models.PositiveIntegerField()

    class Meta:
        ordering = ["audit", "number"]
        constraints = [
            models.UniqueConstraint(fields=["audit", "number"], name="audit_stratum_numbered_once"),
            models.CheckConstraint(condition=Q(drawn__lte=F("population")), name="audit_stratum_drawn_from_itself"),
        ]

    # The database keeps no order of the cells.
    ORDER = ("verdict", "length", "source", "conflict", "probability")

    def __str__(self) -> str:
        return ", ".join(self.cells[name] for name in self.ORDER if name in self.cells) or "All labels"


class AuditItem(models.Model):
    """One label to be audited: the blind choice comes first, and only then the label is shown and decided about."""

    class State(models.TextChoices):
        FREE = "free", "Waiting"
        CLAIMED = "claimed", "Before an auditor, blind"
        REVEALED = "revealed", "Shown to its auditor, not decided"
        DECIDED = "decided", "Decided"

    class Outcome(models.TextChoices):
        RIGHT = "right", "Right"
        WRONG = "wrong", "Wrong"
        UNDECIDABLE = "undecidable", "Undecidable"
        BROKEN = "broken", "A response is broken"

    class Cause(models.TextChoices):
        FACTUAL = "factual", "Missed a factual error"
        INSTRUCTION = "instruction", "Missed that the instruction was not followed"
        LENGTH = "length", "Taken in by length or style"
        REASON = "reason", "The reason says something else than the label"
        MADE_UP = "made_up", "The reason speaks of what is not there"
        AMBIGUOUS = "ambiguous", "Ambiguous prompt"
        TASTE = "taste", "A matter of taste"
        EXPERT = "expert", "Needs an expert"
        CUT = "cut", "A response is cut off, empty or no answer at all"
        OTHER = "other", "Something else"

    audit = models.ForeignKey(Audit, models.CASCADE, related_name="items", db_index=False)
    verdict = models.ForeignKey(Verdict, models.SET_NULL, null=True, related_name="audit_items")
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="audit_items")
    stratum = models.ForeignKey(AuditStratum, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="Items are given out from the lowest up.")
    swapped = models.BooleanField(help_text="Response 2 stands left for the auditor.")
    distilled = models.PositiveSmallIntegerField(choices=Choice, help_text="The label as it was when it was drawn.")
    signals = models.JSONField(default=list, help_text="Why it is suspicious; of a sample, nothing.")

    state = models.CharField(max_length=8, choices=State, default=State.FREE)
    auditor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="audit_items")
    claimed_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    blind_choice = models.PositiveSmallIntegerField(null=True, choices=Choice, help_text="In the pair's own terms.")
    blind_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=11, choices=Outcome, blank=True)
    right_choice = models.PositiveSmallIntegerField(null=True, choices=Choice, help_text="Where the label is wrong.")
    cause = models.CharField(max_length=11, choices=Cause, blank=True)
    note = models.TextField(blank=True)
    seconds = models.FloatField(null=True, help_text="Before the blind choice and before the decision, together.")
    decided_at = models.DateTimeField(null=True)
    history = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="Decisions that were changed, and blind choices of auditors who left before they decided.",
    )

    class Meta:
        ordering = ["audit", "position"]
        constraints = [
            models.UniqueConstraint(fields=["audit", "position"], name="audit_item_position_once"),
            models.UniqueConstraint(fields=["audit", "pair"], name="audit_item_pair_once"),
            models.UniqueConstraint(
                fields=["audit", "auditor"],
                condition=Q(state__in=["claimed", "revealed"]),
                name="audit_item_one_open_an_auditor",
            ),
            models.CheckConstraint(condition=Q(distilled__in=Choice.values), name="audit_item_distilled_known"),
            models.CheckConstraint(
                condition=Q(state="free", auditor=None, blind_choice=None, outcome="")
                | Q(
                    state="claimed",
                    auditor__isnull=False,
                    claimed_until__isnull=False,
                    blind_choice=None,
                    outcome="",
                )
                | Q(
                    state="revealed",
                    auditor__isnull=False,
                    claimed_until__isnull=False,
                    blind_choice__isnull=False,
                    blind_choice__in=Choice.values,
                    outcome="",
                )
                | Q(
                    state="decided",
                    auditor__isnull=False,
                    blind_choice__isnull=False,
                    blind_choice__in=Choice.values,
                    decided_at__isnull=False,
                    outcome__in=["right", "wrong", "undecidable", "broken"],
                ),
                name="audit_item_state_consistent",
            ),
            models.CheckConstraint(
                condition=(
                    Q(outcome="wrong", right_choice__isnull=False, right_choice__in=Choice.values)
                    & ~Q(right_choice=F("distilled"))
                )
                | (~Q(outcome="wrong") & Q(right_choice=None)),
                name="audit_item_wrong_iff_right_choice",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", "right"]) | ~Q(cause=""), name="audit_item_cause_where_not_right"
            ),
        ]
        indexes = [
            models.Index(F("auditor"), F("audit"), F("decided_at").desc(), name="audit_item_latest_of_auditor"),
        ]

    def __str__(self) -> str:
        return f"{self.audit}, item {self.position}"
