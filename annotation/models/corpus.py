"""The corpus: datasets, prompts, the responses that generators gave, and pairs of them."""

import hashlib
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import MD5

from annotation.models.people import User


def content_hash(*texts: str) -> uuid.UUID:
    """128 bits of SHA-256 over texts, each with its length before it, so that no two lists run into one."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return uuid.UUID(bytes=digest.digest()[:16])


class DatasetQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """All for those who review; for an annotator the ones that they label."""
        if user.may_review:
            return self
        return self.labelled_by(user)

    def labelled_by(self, user: User) -> Self:
        if not user.may_label:
            return self.none()
        mine = Q(everyone_labels=True) | Q(annotators=user)
        return self.filter(mine, labels_per_pair__gt=0).distinct()


class Dataset(models.Model):
    """A set of pairs, and how its team labels them."""

    class Purpose(models.TextChoices):
        TEST = "test", "Test"
        TRAIN = "train", "Train"
        SWEEP = "sweep", "Sweep"

    class PairOrder(models.TextChoices):
        """Whose turn it is: what Slot.rank is made from."""

        PLAIN = "plain", "In the order of the file"
        FEWEST = "fewest", "Pairs with the fewest labels first"
        UNCERTAIN = "uncertain", "Pairs of which a judge is least sure first"

    class Rationale(models.TextChoices):
        OFF = "off", "Not asked for"
        OPTIONAL = "optional", "Optional"
        REQUIRED = "required", "Required"

    class ResultShows(models.TextChoices):
        """What an annotator learns of their qualification round beside whether they passed."""

        SCORE = "score", "How many were right"
        WRONG = "wrong", "Also which pairs were wrong"
        ANSWERS = "answers", "Also the right answers, with their explanations"

    class OnFailing(models.TextChoices):
        TELL = "tell", "Tell the annotator and the reviewers"
        PAUSE = "pause", "Pause the annotator until a reviewer lets them go on"
        LEAVE_OUT = "exclude", "Leave the annotator's labels out of gold; none is deleted"

    slug = models.SlugField(max_length=80, unique=True)
    purpose = models.CharField(max_length=5, choices=Purpose, default=Purpose.TEST)
    labels_per_pair = models.PositiveSmallIntegerField(default=3, help_text="Human labels wanted for each pair.")
    everyone_labels = models.BooleanField(default=True, help_text="Every annotator labels it, not only those listed.")
    annotators = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="datasets")

    claim_minutes = models.PositiveSmallIntegerField(
        default=30, db_default=30, help_text="How long a pair stays with an annotator who does nothing."
    )
    pair_order = models.CharField(max_length=9, choices=PairOrder, default=PairOrder.PLAIN, db_default=PairOrder.PLAIN)
    shuffled = models.BooleanField(
        default=False, db_default=False, help_text="Each annotator meets the pairs in an order of their own."
    )
    ranked_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the ranks of its slots were last made anew: the order before is over.",
    )
    labels_on_split = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many further labels a pair gets on which people differ."
    )
    quota = models.PositiveIntegerField(null=True, blank=True, help_text="Labels that one annotator may give at most.")
    rationale = models.CharField(
        max_length=8, choices=Rationale, default=Rationale.OPTIONAL, db_default=Rationale.OPTIONAL
    )
    rationale_characters = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="What a rationale must have at least."
    )
    aspects = models.JSONField(
        default=list, blank=True, db_default=Value([], models.JSONField()), help_text="What is compared one by one."
    )
    asks_confidence = models.BooleanField(default=False, db_default=False)
    reveals = models.BooleanField(
        default=False,
        db_default=False,
        help_text="After the label is locked, show the annotator what peers and judges said.",
    )
    pass_percent = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of the qualification pairs, how many must be right. Empty: no qualification."
    )
    result_shows = models.CharField(
        max_length=7, choices=ResultShows, default=ResultShows.SCORE, db_default=ResultShows.SCORE
    )
    control_percent = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many of the pairs shown are control pairs."
    )
    least_seconds = models.FloatField(
        null=True, blank=True, help_text="Who decides faster than this again and again is told to slow down."
    )
    on_failing = models.CharField(max_length=7, choices=OnFailing, default=OnFailing.TELL, db_default=OnFailing.TELL)

    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["test", "train", "sweep"]), name="dataset_purpose_known"),
            models.CheckConstraint(condition=Q(labels_per_pair__lte=99), name="dataset_labels_per_pair_small"),
            models.CheckConstraint(condition=Q(claim_minutes__gte=1), name="dataset_claim_lasts"),
            models.CheckConstraint(
                condition=(Q(pass_percent=None) | Q(pass_percent__lte=100)) & Q(control_percent__lte=50),
                name="dataset_percent_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def is_labelled_by(self, user: User) -> bool:
        """What `labelled_by` asks of all datasets, asked of this one."""
        if not user.may_label or not self.labels_per_pair:
            return False
        return self.everyone_labels or self.annotators.contains(user)


class Guideline(models.Model):
    """A numbered revision of what annotators of a dataset are asked to do; labels know theirs."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField(help_text="Markdown.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["dataset", "-number"]
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="guideline_numbered_once")]

    def __str__(self) -> str:
        return f"{self.dataset} guidelines, revision {self.number}"


class PromptQuerySet(models.QuerySet):
    def of_source(self, source: str) -> Self:
        """Those of exactly this source, in the words of the index prompt_by_source."""
        return self.annotate(source_hash=MD5("source")).exclude(source="").filter(source_hash=MD5(Value(source)))


class Prompt(models.Model):
    """What was asked: an instruction and its input. The same prompt may stand in many datasets."""

    instruction = models.TextField()
    input = models.TextField(blank=True)
    source = models.TextField(blank=True, help_text="The application or collection that it comes from.")
    reference = models.TextField(blank=True, help_text="A good answer, where one is known.")
    content_hash = models.UUIDField(unique=True, help_text="content_hash(instruction, input, source, reference)")

    objects = PromptQuerySet.as_manager()

    class Meta:
        # Of the hash, because an index holds no text of any length.
        indexes = [models.Index(MD5("source"), F("id"), condition=~Q(source=""), name="prompt_by_source")]

    def __str__(self) -> str:
        return self.instruction[:80]


class Generator(models.Model):
    """Whatever wrote a response: a model, a checkpoint, a person."""

    name = models.CharField(max_length=200, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Response(models.Model):
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="responses", db_index=False)
    generator = models.ForeignKey(
        Generator, models.PROTECT, null=True, blank=True, related_name="responses", db_index=False
    )
    text = models.TextField(blank=True)
    text_hash = models.UUIDField(help_text="content_hash(text)")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "generator", "text_hash"], nulls_distinct=False, name="response_once_a_generator"
            ),
            # Pair's composite foreign keys point here.
            models.UniqueConstraint(fields=["prompt", "id"], name="response_of_prompt"),
        ]
        indexes = [
            models.Index(
                F("generator"), F("prompt"), F("id"), condition=Q(generator__isnull=False), name="response_by_generator"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class PairQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> Self:
        """For those who review. An annotator meets a pair only through a slot of their own."""
        return self if user.may_review else self.none()

    def with_texts(self) -> Self:
        return self.select_related("prompt", "response_1__generator", "response_2__generator", "dataset")

    def with_remarks(self) -> Self:
        """With what reviewers wrote about it."""
        return self.prefetch_related("adjudications__by", "comments__author")


class Pair(models.Model):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="pairs", db_index=False)
    # The database's own foreign keys are composite, (prompt, response_1) and (prompt, response_2), and by way of the
    # response cover the prompt: see the migrations. The responses have no index of their own because they are only ever
    # deleted after their pairs.
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="pairs", db_constraint=False)
    response_1 = models.ForeignKey(Response, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    response_2 = models.ForeignKey(Response, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    external_id = models.CharField(max_length=200, help_text="The id in the file that it came from.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Keys of the file that Tiebreak gives no meaning.")

    objects = PairQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "response_1", "response_2"], name="pair_once_a_dataset"),
            models.UniqueConstraint(fields=["dataset", "external_id"], name="pair_external_id_once_a_dataset"),
        ]
        indexes = [models.Index(F("dataset"), F("id"), name="pair_by_dataset")]

    def __str__(self) -> str:
        return f"{self.dataset}/{self.external_id}"
