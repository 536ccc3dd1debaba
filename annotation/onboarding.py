"""The way into a dataset: practice with explanations, a qualification round, and whoever may label then."""

from dataclasses import dataclass
from functools import cache
from random import Random

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from annotation import assignment, controls, prepared
from annotation.models import Choice, Control, ControlAnswer, Dataset, Standing, User
from annotation.notifications import notify_reviewers

Use, State = Control.Use, Standing.State
NOTHING_CHANGED = "You may not label this dataset at the moment, so nothing was changed."


@dataclass(frozen=True, slots=True)
class Step:
    """Practice or qualification: how far somebody is in it. next: the pair that comes now, if one is left."""

    use: str
    done: int
    total: int
    next: Control | None

    @property
    def finished(self) -> bool:
        return self.next is None


@dataclass(frozen=True, slots=True)
class Result:
    """Of a finished qualification round. answers: empty where the dataset tells the score alone."""

    right: int
    total: int
    passed: bool
    answers: list[ControlAnswer]

    @property
    def percent(self) -> float:
        return 100 * self.right / self.total


def standing_of(*, user: User, dataset: Dataset) -> Standing:
    """Theirs, or one that is not stored yet: they are learning."""
    return _stored(user, dataset) or Standing(dataset=dataset, annotator=user)


def barrier(*, user: User, dataset: Dataset) -> Standing | None:
    """What keeps this person from labelling now; None where they may label."""
    standing = _stored(user, dataset)
    if standing and standing.state == State.PAUSED:
        return standing
    if standing and standing.state == State.QUALIFIED:
        return None
    if not has_round(dataset):
        return None
    return standing or Standing(dataset=dataset, annotator=user)


def has_round(dataset: Dataset) -> bool:
    """Whether the dataset has a qualification round, which keeps from labelling who has not passed it."""
    return dataset.pass_percent is not None and _active(dataset, Use.QUALIFICATION).exists()


def is_paused(*, user: User, dataset: Dataset) -> bool:
    """Whether a reviewer, or what followed from control pairs, keeps this person from labelling."""
    standing = _stored(user, dataset)
    return standing is not None and standing.state == State.PAUSED


def _stored(user: User, dataset: Dataset) -> Standing | None:
    found = prepared.instance(Standing, prepared.first_row(_by_annotator(), [dataset.pk, user.pk]))
    if found is not None:
        found.dataset, found.annotator = dataset, user
    return found


@cache
def _by_annotator() -> str:
    """Asked for each pair that is labelled."""
    table = Standing._meta.db_table
    return f"SELECT {prepared.columns(Standing)} FROM {table} WHERE dataset_id = %s AND annotator_id = %s"  # noqa: S608


# What the page of the result tells of a pair.
_TOLD = [f"control__pair__{name}" for name in ("prompt", "response_1", "response_2")]


def _active(dataset: Dataset, use: str) -> QuerySet[Control]:
    return Control.objects.filter(pair__dataset=dataset, use=use, active=True)


def step_of(*, user: User, dataset: Dataset, use: str, attempt: int = 1) -> Step:
    """Pairs come in an order of each person's own."""
    wanted = list(_active(dataset, use).order_by("pk"))
    Random(f"{dataset.pk}:{user.pk}:{use}:{attempt}").shuffle(wanted)  # noqa: S311 - no secret
    answered = set(
        ControlAnswer.objects.filter(control__in=wanted, annotator=user, attempt=attempt).values_list(
            "control", flat=True
        )
    )
    left = [control for control in wanted if control.pk not in answered]
    return Step(use, len(wanted) - len(left), len(wanted), left[0] if left else None)


def is_swapped(*, user: User, control: Control, attempt: int) -> bool:
    """Which response stands left: as good as random, and the same each time that the page is asked for."""
    return Random(f"{control.pk}:{user.pk}:{attempt}:side").random() < 0.5  # noqa: S311 - no secret


def answer_practice(*, user: User, control: Control, choice: Choice, swapped: bool, seconds: float | None) -> None:
    """choice: in the pair's own terms."""
    controls.answer(control=control, user=user, attempt=1, choice=choice, swapped=swapped, seconds=seconds)


def answer_qualification(*, user: User, control: Control, choice: Choice, swapped: bool, seconds: float | None) -> None:
    """Keep an answer of the round; the last one decides whether the person may label.

    choice: in the pair's own terms. Raises ValueError where the person is in no round.
    """
    dataset = control.pair.dataset
    with transaction.atomic():
        Standing.objects.get_or_create(dataset=dataset, annotator=user)
        # Two answers that come at once: the second waits here, and one of them is the last.
        standing = Standing.objects.select_for_update().get(dataset=dataset, annotator=user)
        if standing.state != State.LEARNING:
            raise ValueError("This qualification round is over.")
        attempt = standing.attempt
        controls.answer(control=control, user=user, attempt=attempt, choice=choice, swapped=swapped, seconds=seconds)
        if step_of(user=user, dataset=dataset, use=Use.QUALIFICATION, attempt=attempt).finished:
            result = result_of(standing)
            standing.state = State.QUALIFIED if result and result.passed else State.FAILED
            standing.changed_at, standing.changed_by = timezone.now(), None
            standing.save()
            if standing.state == State.FAILED:
                text = f"{user} did not pass the qualification round of {dataset}. You can give them another one."
                notify_reviewers(text=text, path=reverse("standings", args=[dataset.slug]))


def result_of(standing: Standing) -> Result | None:
    """Of the person's latest round; None where they have answered nothing in it."""
    dataset = standing.dataset
    given = ControlAnswer.objects.filter(
        control__pair__dataset=dataset, control__use=Use.QUALIFICATION, control__active=True
    ).filter(annotator=standing.annotator, attempt=standing.attempt)
    answers = list(given.select_related(*_TOLD).order_by("created_at"))
    if not answers:
        return None
    right = sum(each.right for each in answers)
    passed = 100 * right >= (dataset.pass_percent or 0) * len(answers)
    told = [] if dataset.result_shows == Dataset.ResultShows.SCORE else [each for each in answers if not each.right]
    return Result(right, len(answers), passed, told)


def give_attempt(*, standing: Standing, by: User) -> None:
    """Another qualification round for somebody who did not pass; the answers of earlier ones are kept."""
    with transaction.atomic():
        locked = Standing.objects.select_for_update().get(pk=standing.pk)
        if locked.state != State.FAILED:
            return
        _change(locked, state=State.LEARNING, attempt=locked.attempt + 1, note="", changed_by=by)


def let_go_on(*, standing: Standing, by: User) -> None:
    """End a pause, or take somebody as qualified. What went before is not looked at any more."""
    _change(standing, state=State.QUALIFIED, note="", changed_by=by)


def pause(*, standing: Standing, note: str, by: User | None) -> None:
    """What the person has before them goes back to the others."""
    with transaction.atomic():
        _change(standing, state=State.PAUSED, note=note, changed_by=by)
        assignment.release(user=standing.annotator, dataset=standing.dataset)


def leave_out(*, standing: Standing, note: str, by: User | None) -> None:
    """Leave the person's labels out of gold. None is deleted, and whether they may label stays as it is."""
    _change(standing, left_out=True, left_out_note=note, changed_by=by)


def count_again(*, standing: Standing, by: User) -> None:
    """End what `leave_out` began."""
    _change(standing, left_out=False, left_out_note="", changed_by=by)


def note(*, standing: Standing, note: str) -> None:
    """Write down what was found, and begin to look anew; the person goes on as they are."""
    _change(standing, note=note, changed_by=None)


def _change(standing: Standing, **values: object) -> None:
    """Of what is stored by now, these fields alone: a pause and labels that are left out do not end each other.

    Whose work is looked at without a standing was asked for no qualification.
    """
    values["changed_at"] = timezone.now()
    of = {"dataset": standing.dataset, "annotator": standing.annotator}
    created = {"state": State.QUALIFIED} | values
    Standing.objects.update_or_create(**of, defaults=values, create_defaults=created)
