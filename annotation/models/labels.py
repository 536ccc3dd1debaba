"""What people decide about pairs: slots that are claimed, labels, adjudications, comments."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone

from annotation.models.corpus import Dataset, Guideline, Pair
from annotation.models.people import User


class Choice(models.IntegerChoices):
    """A decision in the pair's own terms: 1 is response_1, whatever side it was shown on."""

    TIE = 0, "Tie"
    FIRST = 1, "1"
    SECOND = 2, "2"

    @property
    def swapped(self) -> "Choice":
        """The same decision in the terms of the other order."""
        return {Choice.FIRST: Choice.SECOND, Choice.SECOND: Choice.FIRST}.get(self, self)


class Confidence(models.IntegerChoices):
    GUESS = 1, "A guess"
    FAIRLY = 2, "Fairly sure"
    SURE = 3, "Sure"


class Flag(models.TextChoices):
    """What the team should know of a pair, whatever was decided about it."""

    BROKEN = "broken", "Broken: a text is missing, cut or garbled"
    UNSAFE = "unsafe", "Unsafe: nobody should have to read this unprepared"
    EXPERT = "expert", "Needs an expert"
    GUIDELINE = "guideline", "The guidelines do not tell"
    OTHER = "other", "Something else"


class SlotQuerySet(models.QuerySet):
    def claimable(self) -> Self:
        """Free, or claimed by somebody who let the claim run out."""
        return self.filter(
            Q(state=Slot.State.FREE) | Q(state=Slot.State.CLAIMED, expires_at__lt=timezone.now()),
        )

    def open_to(self, *, user: User, dataset: Dataset) -> Self:
        """Claimable slots of pairs that this person has neither labelled nor passed on, and their own open claim."""
        mine = Slot.objects.filter(pair=models.OuterRef("pair"), annotator=user)
        passed_on = Skip.objects.filter(pair=models.OuterRef("pair"), annotator=user)
        fresh = self.claimable().filter(~models.Exists(mine), ~models.Exists(passed_on))
        return fresh.filter(dataset=dataset) | self.claimed_by(user).filter(dataset=dataset)

    def claimed_by(self, user: User) -> Self:
        return self.filter(annotator=user, state=Slot.State.CLAIMED)

    def set_free(self) -> int:
        """Open to everybody again, but for pairs that became control pairs meanwhile. Returns how many these were."""
        unwanted, _ = self.filter(pair__controls__active=True).delete()
        return unwanted + self.update(state=Slot.State.FREE, annotator=None, claimed_at=None, expires_at=None)

    def done_by(self, user: User) -> Self:
        """Labelled, here or in a file that was imported."""
        return self.filter(annotator=user, state=Slot.State.DONE)

    def decided_by(self, user: User) -> Self:
        """Taken and labelled here, the latest first. Imported labels were never claimed and are not among them."""
        return self.done_by(user).filter(claimed_at__isnull=False).order_by("-claimed_at")


class Slot(models.Model):
    """Room for one label: a pair has labels_per_pair of them, made with the pair; a control pair only those filled."""

    class State(models.TextChoices):
        FREE = "free", "Free"
        CLAIMED = "claimed", "Claimed"
        DONE = "done", "Done"

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="slots", db_index=False)
    # A copy of the pair's dataset, which never changes: the next free slot of a dataset is one index look-up.
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveSmallIntegerField()
    swapped = models.BooleanField(help_text="Response 2 stands left. Slots of a pair alternate, from a random start.")
    rank = models.BigIntegerField(default=0, db_default=0, help_text="Free slots are taken from the lowest up.")
    state = models.CharField(max_length=7, choices=State, default=State.FREE)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="slots", db_index=False
    )
    claimed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = SlotQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pair", "number"], name="slot_numbered_once"),
            models.UniqueConstraint(fields=["pair", "annotator"], name="slot_once_an_annotator"),
            models.UniqueConstraint(
                fields=["annotator", "dataset"], condition=Q(state="claimed"), name="slot_one_claim_an_annotator"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="slot_number_from_one"),
            models.CheckConstraint(
                condition=Q(state="free", annotator=None, claimed_at=None, expires_at=None)
                | Q(state="claimed", annotator__isnull=False, claimed_at__isnull=False, expires_at__isnull=False)
                | Q(state="done", annotator__isnull=False),
                name="slot_state_consistent",
            ),
        ]
        indexes = [
            models.Index(F("dataset"), F("rank"), F("pair"), condition=Q(state="free"), name="slot_free_by_rank"),
            models.Index(F("dataset"), F("expires_at"), condition=Q(state="claimed"), name="slot_claimed_by_expiry"),
            # What somebody did last in a dataset: where they go on, what they undo, how much is theirs.
            models.Index(
                F("annotator"),
                F("dataset"),
                F("claimed_at").desc(),
                include=["state"],
                condition=Q(annotator__isnull=False),
                name="slot_latest_of_annotator",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pair} slot {self.number}"


class Skip(models.Model):
    """An annotator passed a pair on: they don't meet it again, somebody else may."""

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="skips", db_index=False)
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="skips")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pair", "annotator"], name="skip_once_an_annotator")]


class Label(models.Model):
    """One person's decision about a pair, in the pair's own terms."""

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="labels", db_index=False)
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="labels", db_index=False)
    choice = models.PositiveSmallIntegerField(choices=Choice)
    shown_swapped = models.BooleanField(null=True, help_text="They saw response 2 on the left; null if not known.")
    rationale = models.TextField(blank=True)
    aspects = models.JSONField(
        default=dict, blank=True, db_default=Value({}, models.JSONField()), help_text="A choice, 1, 2 or 0, by aspect."
    )
    confidence = models.PositiveSmallIntegerField(null=True, choices=Confidence)
    flag = models.CharField(max_length=9, choices=Flag, blank=True, default="", db_default="")
    seconds = models.FloatField(null=True, help_text="From the page shown to the decision, without idle time.")
    guideline = models.ForeignKey(Guideline, models.PROTECT, null=True, related_name="labels", db_index=False)
    revealed_at = models.DateTimeField(
        null=True, help_text="When its annotator saw what others said. From then on it does not change."
    )
    audited_at = models.DateTimeField(
        null=True,
        help_text="When its annotator saw a judge's verdict on it in an audit. From then on it does not change either.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Migration 0003 adds a composite foreign key to Slot (pair, annotator): no label without a slot.
        constraints = [
            # With the choice in it, labels are counted pair by pair without a look at the rows themselves.
            models.UniqueConstraint(fields=["pair", "annotator"], include=["choice"], name="label_once_an_annotator"),
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="label_choice_known"),
            models.CheckConstraint(
                condition=Q(confidence=None) | Q(confidence__in=Confidence.values), name="label_confidence_known"
            ),
            models.CheckConstraint(condition=Q(flag__in=["", *Flag.values]), name="label_flag_known"),
        ]
        indexes = [
            models.Index(F("annotator"), F("changed_at").desc(), name="label_latest_of_annotator"),
            # The pairs that were labelled by a revision, in the order of the review list.
            models.Index(F("guideline"), F("pair"), condition=Q(guideline__isnull=False), name="label_by_guideline"),
            models.Index(F("pair"), condition=Q(guideline=None), name="label_without_guideline"),
            # Few labels are flagged: these, in the order of the review list.
            models.Index(F("pair"), F("flag"), condition=~Q(flag=""), name="label_flagged"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator}: {self.get_choice_display()}"

    @property
    def is_fixed(self) -> bool:
        """Its annotator knows what others, or a judge, said of it: what they would say now is not blind any more."""
        return bool(self.revealed_at or self.audited_at)


class Split(models.Model):
    """A pair that people label differently, and how far they agree: what reviewers read first.

    Kept by triggers of the database on labels (migration 0006), in the transaction that changes them; nothing else
    writes here, so it cannot differ from the labels. A pair without a row is one on which nobody differs yet.
    """

    # The database's own foreign keys cascade: whatever deletes pairs need not know of this.
    pair = models.OneToOneField(Pair, models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False)
    dataset = models.ForeignKey(Dataset, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    agreement = models.PositiveSmallIntegerField(
        help_text="Of the ways to take two of its labels, how many percent are two that agree."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(agreement__lt=100), name="split_is_no_agreement"),
        ]
        indexes = [models.Index(F("dataset"), F("agreement"), F("pair"), name="split_lowest_agreement_first")]

    def __str__(self) -> str:
        return f"{self.pair}: {self.agreement}%"


class LabelRevision(models.Model):
    """What a label said before it was changed."""

    label = models.ForeignKey(Label, models.CASCADE, related_name="revisions")
    choice = models.PositiveSmallIntegerField(choices=Choice)
    rationale = models.TextField(blank=True)
    aspects = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    confidence = models.PositiveSmallIntegerField(null=True, choices=Confidence)
    flag = models.CharField(max_length=9, choices=Flag, blank=True, default="", db_default="")
    seconds = models.FloatField(null=True)
    decided_at = models.DateTimeField(help_text="When this earlier decision was made.")
    replaced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-replaced_at"]
        constraints = [
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="label_revision_choice_known"),
        ]


class Reconsideration(models.Model):
    """What an annotator says after they saw what others said. The label stays what it was: agreement uses that."""

    label = models.OneToOneField(Label, models.CASCADE, related_name="reconsideration")
    choice = models.PositiveSmallIntegerField(choices=Choice)
    rationale = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="reconsideration_choice_known"),
        ]


class LateDecision(models.Model):
    """A decision that was sent when it counted for nothing. Kept and exported, counted by no rule.

    No slot was left when it came, or its annotator was paused or no longer asked to label the dataset.
    """

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="late_decisions")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="late_decisions")
    choice = models.PositiveSmallIntegerField(choices=Choice)
    shown_swapped = models.BooleanField()
    rationale = models.TextField(blank=True)
    aspects = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    confidence = models.PositiveSmallIntegerField(null=True, choices=Confidence)
    flag = models.CharField(max_length=9, choices=Flag, blank=True, default="", db_default="")
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pair", "annotator"], name="late_decision_once_an_annotator"),
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="late_decision_choice_known"),
        ]


class Draft(models.Model):
    """What an annotator has written and not yet sent: it survives a reload, another device, a lost session."""

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="+")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    fields = models.JSONField(default=dict)
    saved_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(
        null=True, help_text="Of the decision that stood when this was written; null: none. A later one overtakes it."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pair", "annotator"], name="draft_once_an_annotator")]


class Quota(models.Model):
    """How many labels of a dataset one person may give, where that differs from the dataset's own quota."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="quotas")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="quotas")
    labels = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "annotator"], name="quota_once_an_annotator")]


class Adjudication(models.Model):
    """A reviewer's last word on a pair. The newest is current; earlier ones are kept."""

    class Cause(models.TextChoices):
        AMBIGUOUS = "ambiguous", "Ambiguous prompt"
        BOTH_BAD = "both_bad", "Both responses bad"
        FACTUAL = "factual", "A factual point"
        TASTE = "taste", "A matter of taste"
        GUIDELINE = "guideline", "Guideline gap"
        MISTAKE = "mistake", "A rater's mistake"
        # Nobody chooses this one: it is said where pairs are adjudicated together because all labels agree.
        UNANIMOUS = "unanimous", "Unanimous"

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="adjudications")
    choice = models.PositiveSmallIntegerField(choices=Choice)
    cause = models.CharField(max_length=10, choices=Cause)
    note = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="adjudications")
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["pair"], condition=Q(current=True), name="adjudication_one_current"),
            models.CheckConstraint(condition=Q(choice__in=Choice.values), name="adjudication_choice_known"),
        ]


class Comment(models.Model):
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
