"""Training runs: what was asked for, what was measured on the way, and the checkpoints that came out."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from annotation.models import Dataset, Generator, User
from jobs.models import AbstractChunk
from judging.models import Judge
from training.models.snapshots import Snapshot


class TrainingRunQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        return self if user.may_review else self.none()


class TrainingRun(models.Model):
    """Frozen when it is made, but for notes and tags. Its job does the work; a dry one measures and saves nothing."""

    name = models.CharField(max_length=100)
    purpose = models.CharField(max_length=9, choices=Snapshot.Purpose)
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="runs")
    base_model = models.CharField(max_length=500, help_text="A folder on the workers, or a hub id that they have.")
    revision = models.CharField(max_length=100, blank=True, help_text="Of a hub id only.")
    hyperparameters = models.JSONField(help_text="training.script.config.Hyperparameters, every one of them.")
    devices = models.PositiveSmallIntegerField(default=1, help_text="Processes, each on a device of its own.")
    test_sets = models.ManyToManyField(Dataset, blank=True, related_name="+", help_text="Asked about at each epoch.")
    dry = models.BooleanField(default=False, help_text="Two steps of the greatest size, to see what they take.")
    code = models.CharField(max_length=100, blank=True, help_text="Version of the code that began it.")
    found = models.JSONField(default=dict, help_text="What the run told of itself: hardware, libraries, its form.")
    notes = models.TextField(blank=True)
    stored = models.JSONField(null=True, help_text="The state in the store: its step, and hashes of its manifests.")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    repeats = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="repeated_by")
    job = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["judge", "candidate"]), name="training_purpose_known"),
            models.CheckConstraint(condition=Q(devices__gte=1), name="training_on_a_device"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training_run", args=[self.pk])


class StepMetric(models.Model):
    """One step. A step that was done again, after a kill, has the numbers of the last time."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="steps", db_index=False)
    step = models.PositiveIntegerField()
    loss = models.FloatField(help_text="Mean over the answers' tokens.")
    learning_rate = models.FloatField()
    gradient_norm = models.FloatField(null=True)
    samples = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField(help_text="Real ones, without padding.")
    answer_tokens = models.PositiveIntegerField()
    squares = models.BigIntegerField(help_text="Sum of the samples' squared lengths, for counting operations.")
    seconds = models.FloatField()
    memory = models.BigIntegerField(null=True, help_text="Bytes at most so far on the first device.")

    class Meta:
        ordering = ["run", "step"]
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="step_metric_once")]

    def __str__(self) -> str:
        return f"{self.run}, step {self.step}"


class Checkpoint(models.Model):
    """The weights of an epoch's end, whole on disk. It may become a judge or a generator."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="checkpoints", db_index=False)
    step = models.PositiveIntegerField()
    epoch = models.PositiveSmallIntegerField()
    size = models.BigIntegerField(help_text="Bytes.")
    held_out_loss = models.FloatField(null=True)
    stored = models.CharField(
        max_length=64, blank=True, db_default="", default="", help_text="Hash of its manifest in the store, if there."
    )
    judge = models.OneToOneField(Judge, models.PROTECT, null=True, related_name="checkpoint")
    generator = models.OneToOneField(Generator, models.PROTECT, null=True, related_name="checkpoint")
    answers = models.ForeignKey(Dataset, models.SET_NULL, null=True, related_name="+", help_text="Whose prompts.")
    generating = models.OneToOneField("jobs.Job", models.PROTECT, null=True, related_name="+")
    workers = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="How many share the answering, each on a device of its own."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "step"]
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="checkpoint_once")]

    def __str__(self) -> str:
        return f"{self.run}, epoch {self.epoch}"

    def get_absolute_url(self) -> str:
        return f"{self.run.get_absolute_url()}#checkpoint-{self.epoch}"


class AnswerChunk(AbstractChunk):
    """Prompts that a checkpoint answers, by their ids."""

    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="chunks", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "first"], name="answer_chunk_begins_once"),
            models.UniqueConstraint(fields=["checkpoint", "last"], name="answer_chunk_ends_once"),
            models.CheckConstraint(condition=Q(first__lte=F("last")), name="answer_chunk_begins_before_its_end"),
        ]


class Examination(models.Model):
    """What a checkpoint said of a test set's pairs, against what people said, at the moment when it was made."""

    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="examinations", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+")
    pairs = models.PositiveIntegerField(help_text="Pairs with gold that it was asked about.")
    with_gold = models.PositiveIntegerField(
        null=True, help_text="Pairs with gold then, with those too long to ask about."
    )
    accuracy = models.FloatField(null=True)
    macro_f1 = models.FloatField(null=True)
    kappa = models.FloatField(null=True)
    flips = models.FloatField(null=True, help_text="Share of pairs whose choice the order changes.")
    written = models.JSONField(default=list, help_text="A few whole answers: pair, swapped, text.")

    class Meta:
        ordering = ["checkpoint", "dataset"]
        constraints = [models.UniqueConstraint(fields=["checkpoint", "dataset"], name="examined_once")]

    def __str__(self) -> str:
        return f"{self.checkpoint} on {self.dataset}"
