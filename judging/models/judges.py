"""The machines: judges, their runs over pairs, and the verdicts that came out."""

import hashlib
import json
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from annotation.models import Choice, Dataset, Pair, User


class JudgeQuerySet(models.QuerySet):
    def with_runs(self) -> Self:
        """With n_runs, and latest_run_id and latest_state of the run that was made last."""
        latest = JudgeRun.objects.filter(judge=models.OuterRef("pk")).order_by("-created_at", "-pk")
        return self.annotate(
            n_runs=models.Count("runs"),
            latest_run_id=models.Subquery(latest.values("pk")[:1]),
            latest_state=models.Subquery(latest.values("job__state")[:1]),
        )


class Judge(models.Model):
    """A way of deciding between two responses, with all that changes its answers frozen in the fingerprint."""

    class Backend(models.TextChoices):
        TRANSFORMERS = "transformers", "Local checkpoint (transformers)"
        OPENAI = "openai", "OpenAI-compatible server"
        IMPORTED = "imported", "Imported verdicts"
        BASELINE = "baseline", "Baseline"
        JURY = "jury", "Jury of other judges"
        FAKE = "fake", "Fake (deterministic, for demos and tests)"

    name = models.CharField(max_length=100, unique=True)
    backend = models.CharField(max_length=12, choices=Backend)
    model = models.CharField(
        max_length=500, blank=True, help_text="Checkpoint folder or hub id, the server's model name, or the baseline."
    )
    revision = models.CharField(max_length=100, blank=True)
    template = models.CharField(max_length=50, blank=True, help_text="Prompt template and version, as pandalm@1.")
    parameters = models.JSONField(default=dict, blank=True, help_text="Decoding parameters, base URL.")
    fingerprint = models.CharField(max_length=64, editable=False, help_text="Hash of all that changes an answer.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgeQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(backend__in=["transformers", "openai", "imported", "baseline", "jury", "fake"]),
                name="judge_backend_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("judge", args=[self.pk])

    def save(self, *args, **kwargs):
        what = [self.backend, self.model, self.revision, self.template, self.parameters]
        self.fingerprint = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        super().save(*args, **kwargs)


class JudgeRunQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """For those who review; verdicts are hidden from annotators."""
        return self if user.may_review else self.none()


class JudgeRun(models.Model):
    """One judge over one dataset. Settings are frozen when it is made; its job does the work."""

    class Order(models.TextChoices):
        GIVEN = "given", "As given"
        BOTH = "both", "Both orders"

    class Reasons(models.TextChoices):
        NONE = "none", "No reasons"
        SAMPLE = "sample", "A reason with each tenth pair's verdicts"
        DISAGREEMENTS = "disagreements", "A reason where people chose otherwise or the orders contradict"
        ALL = "all", "A reason with every verdict"

    # Reasons that are written when all verdicts are there.
    SECOND_PASS = {Reasons.SAMPLE, Reasons.DISAGREEMENTS}

    judge = models.ForeignKey(Judge, models.PROTECT, related_name="runs")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="judge_runs")
    order = models.CharField(max_length=5, choices=Order, default=Order.GIVEN)
    reasons = models.CharField(max_length=13, choices=Reasons, default=Reasons.NONE)
    frozen = models.JSONField(default=dict, help_text="The judge as it was when the run was made.")
    budget = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, help_text="US dollars at which the run pauses; null for no limit."
    )
    workers = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="How many share it, each on a device of its own."
    )
    job = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+", help_text="Null if imported.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="judge_runs")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgeRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(order__in=["given", "both"]), name="judge_run_order_known"),
            models.CheckConstraint(
                condition=Q(reasons__in=["none", "sample", "disagreements", "all"]), name="judge_run_reasons_known"
            ),
            models.CheckConstraint(condition=Q(budget=None) | Q(budget__gt=0), name="judge_run_budget_positive"),
            models.CheckConstraint(condition=Q(workers__gte=1), name="judge_run_has_a_worker"),
        ]

    def __str__(self) -> str:
        return f"{self.judge} on {self.dataset}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def orders(self) -> tuple[bool, ...]:
        """Whether the responses are swapped, for each order in which a pair is asked about."""
        return (False, True) if self.order == self.Order.BOTH else (False,)


class Verdict(models.Model):
    """What a judge said about a pair in one order, in the pair's own terms. A parse failure stays one."""

    class Status(models.TextChoices):
        OK = "ok", "OK"
        INVALID = "invalid", "Invalid"
        REFUSED = "refused", "Refused"
        TOO_LONG = "too_long", "Too long"
        FAILED = "failed", "Failed"

    run = models.ForeignKey(JudgeRun, models.CASCADE, related_name="verdicts", db_index=False)
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="verdicts", db_index=False)
    swapped = models.BooleanField(default=False, help_text="The judge saw response 2 first.")
    choice = models.PositiveSmallIntegerField(choices=Choice, null=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.OK)
    p_1 = models.FloatField(null=True, help_text="Probability that response 1 is better.")
    p_2 = models.FloatField(null=True)
    p_tie = models.FloatField(null=True)
    reason = models.TextField(blank=True)
    reference = models.TextField(blank=True)
    raw = models.TextField(blank=True, help_text="What the judge really said.")
    prompt_tokens = models.PositiveIntegerField(null=True)
    answer_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, help_text="US dollars.")
    altered = models.JSONField(null=True, help_text="How the texts that the judge saw differ from the pair's own.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # With the choice in it, two runs are compared pair by pair without a look at the rows themselves.
            models.UniqueConstraint(
                fields=["run", "pair", "swapped"], include=["choice"], name="verdict_once_an_order"
            ),
            models.CheckConstraint(
                condition=Q(status="ok", choice__isnull=False) | (~Q(status="ok") & Q(choice=None)),
                name="verdict_ok_iff_choice",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["ok", "invalid", "refused", "too_long", "failed"]), name="verdict_status_known"
            ),
            models.CheckConstraint(condition=Q(choice=None) | Q(choice__in=Choice.values), name="verdict_choice_known"),
            models.CheckConstraint(
                condition=Q(p_1=None, p_2=None, p_tie=None)
                | Q(p_1__range=(0, 1), p_2__range=(0, 1), p_tie__range=(0, 1)),
                name="verdict_probabilities_all_or_none",
            ),
        ]
        indexes = [
            models.Index(F("pair"), F("run"), name="verdict_by_pair"),
            # Both are small: they answer whether a run has swapped verdicts at all, and where it has no choice.
            models.Index(F("run"), F("pair"), condition=Q(swapped=True), name="verdict_swapped"),
            models.Index(F("run"), F("pair"), condition=Q(choice=None), name="verdict_without_choice"),
        ]

    @property
    def ok(self) -> bool:
        return self.status == self.Status.OK


class VerdictRevision(models.Model):
    """What a verdict said before a file replaced it."""

    verdict = models.ForeignKey(Verdict, models.CASCADE, related_name="revisions")
    choice = models.PositiveSmallIntegerField(choices=Choice, null=True)
    status = models.CharField(max_length=8, choices=Verdict.Status)
    p_1 = models.FloatField(null=True)
    p_2 = models.FloatField(null=True)
    p_tie = models.FloatField(null=True)
    reason = models.TextField(blank=True)
    reference = models.TextField(blank=True)
    raw = models.TextField(blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    answer_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    altered = models.JSONField(null=True)
    decided_at = models.DateTimeField(help_text="When this earlier verdict was given.")
    replaced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-replaced_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="ok", choice__isnull=False) | (~Q(status="ok") & Q(choice=None)),
                name="verdict_revision_ok_iff_choice",
            ),
        ]
