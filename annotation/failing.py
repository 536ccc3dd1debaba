"""What follows from control answers below the pass mark, and from deciding too fast.

An answer counts once it is a few minutes old: until then it may be undone, and what follows from it comes at a moment
that does not tell which pair was a control pair.
"""

from datetime import timedelta

from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from annotation import onboarding
from annotation.models import Control, ControlAnswer, Dataset, Label, Standing, User
from annotation.notifications import notify, notify_reviewers

SETTLED = timedelta(minutes=5)
LAST = 20
ENOUGH = 5
LAST_DECISIONS = 30
TOO_MANY_FAST = 1 / 3
SLOW_DOWN = (
    "You have been very quick lately. Please take the time to read both responses to their ends: "
    "one label that is thought over is worth more than three that are not."
)


def look(*, user: User, dataset: Dataset) -> None:
    """After a decision of any kind: if the last control answers are below the mark, do what the dataset says."""
    if not dataset.control_percent or dataset.pass_percent is None:
        return
    standing = onboarding.standing_of(user=user, dataset=dataset)
    right = _settled(user, dataset, standing)
    if len(right) >= ENOUGH and 100 * sum(right) < dataset.pass_percent * len(right):
        _act(standing, f"{sum(right)} of your last {len(right)} control pairs were right.")


def _settled(user: User, dataset: Dataset, standing: Standing) -> list[bool]:
    """Of the last control pairs since somebody last decided on the person's standing: whether each was right."""
    answers = ControlAnswer.objects.filter(
        annotator=user, control__pair__dataset=dataset, control__use=Control.Use.MIXED
    ).filter(created_at__lte=timezone.now() - SETTLED)
    if standing.pk:
        answers = answers.filter(created_at__gt=standing.changed_at)
    newest: dict[int, bool] = {}
    for control, right in answers.order_by("-created_at").values_list("control", "right")[: 2 * LAST]:
        newest.setdefault(control, right)
    return list(newest.values())[:LAST]


def _act(standing: Standing, note: str) -> None:
    dataset, person = standing.dataset, standing.annotator
    if dataset.on_failing == Dataset.OnFailing.PAUSE:
        onboarding.pause(standing=standing, note=note, by=None)
        word = "Your labelling is paused until a reviewer lets you go on."
    elif dataset.on_failing == Dataset.OnFailing.LEAVE_OUT or standing.left_out:
        onboarding.leave_out(standing=standing, note=note, by=None)
        word = "Your labels are kept, but left out of gold for now."
    else:
        onboarding.note(standing=standing, note=note)
        word = "Please read the guidelines once more, and ask where they are not clear."
    notify(people=[person], text=f"{dataset}: {note} {word}", path=reverse("onboarding", args=[dataset.slug]))
    text = f"{person} in {dataset}: {note.replace('your', 'their')}"
    notify_reviewers(text=text, path=reverse("standings", args=[dataset.slug]))


def is_too_fast(*, user: User, dataset: Dataset, seconds: float | None) -> bool:
    """After a decision that took so long: whether the person should be told to slow down, at most every ten minutes."""
    if dataset.least_seconds is None or seconds is None or seconds >= dataset.least_seconds:
        return False
    last = Label.objects.filter(annotator=user, pair__dataset=dataset, seconds__isnull=False).order_by("-changed_at")
    times = list(last.values_list("seconds", flat=True)[:LAST_DECISIONS])
    fast = sum(each < dataset.least_seconds for each in times)
    if len(times) < LAST_DECISIONS // 3 or fast <= TOO_MANY_FAST * len(times):
        return False
    return cache.add(f"slow-down:{dataset.pk}:{user.pk}", True, 600)
