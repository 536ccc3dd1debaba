"""Durable long work. A job is a row; each try at it is an attempt; only the current attempt may write."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least, Now
from django.db.models.lookups import LessThan
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from jobs.progress import Progress, in_words


class Person(Protocol):
    """What jobs need to know of a user; whoever owns the users' model lies above."""

    pk: int
    may_review: bool
    may_research: bool


class JobQuerySet(models.QuerySet):
    def live(self) -> Self:
        return self.filter(state__in=Job.LIVE)

    def latest_about(self, kind: str, subjects: Iterable[int]) -> dict[int, "Job"]:
        """The latest job of a kind about each of these subjects, by subject; the others are not in it."""
        asked = self.filter(kind=kind, subject_id__in=subjects).order_by("pk")
        return {job.subject_id: job for job in asked}

    def visible_to(self, user: Person) -> Self:
        """A person sees the jobs that they asked for; who reviews sees all."""
        return self if user.may_review else self.filter(created_by=user)


class Job(models.Model):
    """Work asked for by somebody. Its state changes by conditional updates in jobs.lifecycle alone."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        CANCELLING = "cancelling", "Cancelling"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    LIVE = [State.QUEUED, State.RUNNING, State.CANCELLING]

    class Queue(models.TextChoices):
        DEFAULT = "default", "Default"
        API = "api", "API: many at once, waiting on the network"
        GPU = "gpu", "GPU: one at a time for a device"

    kind = models.CharField(max_length=100, help_text="Dotted name of the function that does the work.")
    title = models.CharField(max_length=300)
    subject_id = models.BigIntegerField(help_text="The row that the work is about; the kind knows of what model.")
    queue = models.CharField(max_length=7, choices=Queue, default=Queue.DEFAULT)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempt_number = models.PositiveSmallIntegerField(default=1, help_text="The current attempt: the fencing token.")
    max_attempts = models.PositiveSmallIntegerField(default=3)
    last_attempt = models.PositiveSmallIntegerField(default=3, help_text="No attempt after this one starts by itself.")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    phase = models.CharField(max_length=200, blank=True, help_text="What it is doing, in words.")
    rate = models.FloatField(null=True, help_text="Done a second, lately, by the current attempt.")
    progress_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="Why it failed and what to do about it.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="jobs")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "cancelling"], finished_at=None)
                | Q(state__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False),
                name="job_finished_when_over",
            ),
        ]
        indexes = [
            models.Index(
                F("state"), condition=Q(state__in=["queued", "running", "cancelling"]), name="job_live_by_state"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @property
    def progress(self) -> Progress:
        """How far it is, as of now."""
        return Progress(
            done=self.done,
            total=self.total,
            rate=self.rate if self.state == self.State.RUNNING else None,
            progress_at=self.progress_at,
            started_at=None if self.state == self.State.QUEUED else self.started_at,
            finished_at=self.finished_at,
            now=timezone.now(),
        )

    @property
    def spoken(self) -> str:
        """Its state for a screen reader: changes often enough to follow, too seldom to be a nuisance."""
        percent = self.progress.percent
        tens = f"{percent // 10 * 10}%" if percent is not None and self.is_live else ""
        # A queued job's phase is that of the attempt before.
        phase = self.phase if self.is_live and self.state != self.State.QUEUED else ""
        return ", ".join(filter(None, [self.get_state_display(), phase, tens]))

    @cached_property
    def attempt_before(self) -> "Attempt | None":
        """Of a live job that is tried again: the attempt that failed, was lost or stopped."""
        if not self.is_live or self.attempt_number == 1:
            return None
        ended = [Attempt.State.FAILED, Attempt.State.LOST, Attempt.State.STOPPED]
        return self.attempts.filter(number=self.attempt_number - 1, state__in=ended).first()

    @property
    def waiting_for(self) -> str:
        """Why a queued job does not run yet, in words."""
        if self.state != self.State.QUEUED:
            return ""
        waited = timezone.now() - self.attempts.get(number=self.attempt_number).due_at
        if waited < timedelta(0):
            return f"Attempt {self.attempt_number} begins in {in_words(-waited)}."
        busy = Job.objects.filter(queue=self.queue, state__in=[self.State.RUNNING, self.State.CANCELLING])
        if n := busy.count():
            others = f"{n} other job{'' if n == 1 else 's'}"
            return f"Waiting for a worker of the queue “{self.queue}”, which is at {others}."
        if waited > timedelta(seconds=settings.JOB_STALE_SECONDS):
            return f"No worker took it for {in_words(waited)}. Is one running for the queue “{self.queue}”?"
        return "Waiting for a worker."

    def may_be_steered_by(self, user: Person) -> bool:
        """Whether this person may cancel it or have it tried again."""
        return user.may_research or self.created_by_id == user.pk


class PostmasterStart(models.Func):
    function = "pg_postmaster_start_time"
    output_field = models.DateTimeField()


class AttemptQuerySet(models.QuerySet):
    def running_or_stale(self, *, stale_after: timedelta) -> Self:
        """Running attempts; `is_stale` where no beat came for that long, by the database's clock.

        While the database is away nobody can beat, so after its start everybody gets the same time again. And when its
        clock jumps every beat looks old at once: `is_silent` is only who was found stale before and did not beat since.
        """
        then = Now() - stale_after
        stale = Q(beat_at__lt=then) & Q(LessThan(PostmasterStart(), then))
        beats = timedelta(seconds=2 * settings.JOB_BEAT_SECONDS)
        silent = stale & Q(doubted_at__gt=F("beat_at"), doubted_at__lt=Now() - beats)
        return self.filter(state=Attempt.State.RUNNING).annotate(
            is_stale=models.ExpressionWrapper(stale, output_field=models.BooleanField()),
            is_silent=models.ExpressionWrapper(silent, output_field=models.BooleanField()),
        )

    def doubt(self) -> int:
        """Note of stale attempts when they were first found to be; not again until they have beaten."""
        fresh = Q(doubted_at=None) | Q(doubted_at__lte=F("beat_at")) | Q(doubted_at__gt=Now())
        return self.filter(fresh, is_stale=True).update(doubted_at=Now())

    def unsent(self) -> Self:
        """Queued attempts that are due and whose message was never sent, or so long ago that it may be lost.

        An attempt that waits long is sent again ever more rarely: its message most likely stands in a long queue.
        """
        resend = timedelta(seconds=settings.JOB_RESEND_SECONDS)
        patience = Least(Greatest(F("sent_at") - F("created_at"), models.Value(resend)), models.Value(10 * resend))
        lost = Q(sent_at=None) | Q(sent_at__lt=Now() - patience)
        return self.filter(lost, state=Attempt.State.QUEUED, due_at__lte=Now())


class Attempt(models.Model):
    """One try at a job by one process group on one host."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Lost"
        STOPPED = "stopped", "Stopped with its worker"

    job = models.ForeignKey(Job, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    due_at = models.DateTimeField(default=timezone.now, help_text="Not sent before: a retry waits a while.")
    sent_at = models.DateTimeField(null=True, help_text="When a message last went to the broker.")
    beat_at = models.DateTimeField(null=True)
    doubted_at = models.DateTimeField(null=True, help_text="When its last beat was first found to be long ago.")
    host = models.CharField(max_length=255, blank=True)
    boot_id = models.CharField(max_length=80, blank=True, help_text="Of the kernel, and its process id namespace.")
    supervisor_pid = models.PositiveIntegerField(null=True)
    supervisor_started = models.BigIntegerField(null=True, help_text="Clock ticks after boot: tells a reused pid.")
    pid = models.PositiveIntegerField(null=True, help_text="Of the child, which leads its process group.")
    pid_started = models.BigIntegerField(null=True, help_text="Clock ticks after boot: tells a reused pid.")
    exit_code = models.IntegerField(null=True)
    error = models.TextField(blank=True)
    log_path = models.CharField(max_length=500, blank=True, help_text="Relative to TIEBREAK_HOME.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["job", "number"]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_numbered_once"),
            models.UniqueConstraint(
                fields=["job"], condition=Q(state__in=["queued", "running"]), name="attempt_one_live_a_job"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "succeeded", "failed", "cancelled", "lost", "stopped"]),
                name="attempt_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job}, attempt {self.number}"

    @property
    def took_in_words(self) -> str:
        """How long it ran, up to now if it still does."""
        return in_words((self.finished_at or timezone.now()) - self.started_at) if self.started_at else ""

    @property
    def last_line(self) -> str:
        """Of the error: in a traceback, the line that says what it was."""
        lines = [line for line in self.error.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    @property
    def reason(self) -> str:
        """Its last line with the name of the error's class, without where that is defined."""
        return re.sub(r"^(\w+\.)+(?=\w+(:|$))", "", self.last_line)


class Lease(models.Model):
    """A device that an attempt has for itself. One that has ended holds none, whatever became of it."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="leases")
    host = models.CharField(max_length=255)
    device = models.CharField(max_length=20, help_text="Its number on the host, or cpu.")
    taken_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["host", "device", "-taken_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "device"], condition=Q(released_at=None), name="lease_one_live_a_device"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device} of {self.host}"


class AbstractChunk(models.Model):
    """A part of work that several workers share, from the first number to the last, that one attempt has taken.

    Those of a stage never overlap. One that is not done and whose attempt has ended is anybody's. They are handed out
    anew when the work goes on. A model of them has a foreign key to whose work it is, by the related name `chunks`.
    """

    first = models.BigIntegerField()
    last = models.BigIntegerField()
    attempt = models.ForeignKey(Attempt, models.SET_NULL, null=True, related_name="+")
    done = models.BooleanField(default=False, help_text="All that was to come of it is saved.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"
