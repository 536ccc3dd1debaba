"""Control pairs: pairs of a dataset of which the right answer is known.

A pair that is a control pair wants no labels: all who may label have met it, or will, and a dataset is to come to an
end. What it has stays. Withdrawn, it wants labels again, of those who have not met it; and whoever has labelled it
never gets it mixed in.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q

from annotation.models import Choice, Control, ControlAnswer, Dataset, Pair, Skip, Slot, User
from annotation.slots import make_slots

CHOICES = {"1": Choice.FIRST, "2": Choice.SECOND, "tie": Choice.TIE}
MET = "Met as a control pair"
SUGGESTED = 20
MOST_LINES = 5000


class ControlFileError(Exception):
    """Lines that cannot be read as control pairs. problems: (line, what is wrong and what to do)."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__(f"{len(problems)} lines cannot be read")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A pair on which all of at least two labels agree."""

    pair: Pair
    choice: Choice
    labels: int


def set_control(*, pair: Pair, use: str, choice: Choice, explanation: str, by: User) -> Control:
    """Use a pair so, or change its answer. Answers that were given keep whether they were right at their time."""
    with _changing(pair.dataset_id):
        control = _set(pair=pair, use=use, choice=choice, explanation=explanation, by=by)
        _want_no_labels([pair.pk])
    return control


def withdraw(*, control: Control) -> None:
    """Show it to nobody any more, and let people label it who have not met it. What was answered stays."""
    with _changing(control.pair.dataset_id) as dataset:
        Control.objects.filter(pk=control.pk).update(active=False)
        make_slots(dataset=dataset, pair_id=control.pair_id)


@contextmanager
def _changing(dataset_id: int) -> Iterator[Dataset]:
    """All or nothing, and not while slots are made for the whole dataset, which asks what is a control pair."""
    with transaction.atomic():
        yield Dataset.objects.select_for_update(no_key=True).get(pk=dataset_id)


def _set(*, pair: Pair, use: str, choice: Choice, explanation: str, by: User) -> Control:
    said = {"choice": choice, "explanation": explanation, "active": True, "created_by": by}
    return Control.objects.update_or_create(pair=pair, use=use, defaults=said)[0]


def _want_no_labels(pair_ids: list[int]) -> None:
    Slot.objects.filter(pair__in=pair_ids, state=Slot.State.FREE).delete()


def suggestions(dataset: Dataset) -> list[Suggestion]:
    """Pairs without a control on which people agree, those with the fewest labels first, as few have met them."""
    found = (
        Pair.objects.filter(dataset=dataset, controls=None)
        .annotate(n=Count("labels"), low=Min("labels__choice"), high=Max("labels__choice"))
        .filter(n__gte=2, low=F("high"))
        .select_related("prompt")
        .order_by("n", "pk")[:SUGGESTED]
    )
    return [Suggestion(pair, Choice(pair.low), pair.n) for pair in found]


def import_controls(*, dataset: Dataset, lines: Iterable[str], by: User) -> int:
    """Set control pairs from JSON Lines: id, use, choice and perhaps explanation. All of them or none.

    Returns how many. Raises ControlFileError, which names every line that is wrong.
    """
    rows, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append((number, *_row(line)))
        except ValueError as error:
            problems.append((number, str(error)))
    pairs = {p.external_id: p for p in Pair.objects.filter(dataset=dataset, external_id__in=[row[1] for row in rows])}
    problems += [
        (number, f"There is no pair “{pair_id}” in {dataset}. Import it first, or mend the id.")
        for number, pair_id, *_ in rows
        if pair_id not in pairs
    ]
    if problems:
        raise ControlFileError(sorted(problems))
    with _changing(dataset.pk):
        for _, pair_id, use, choice, explanation in rows:
            _set(pair=pairs[pair_id], use=use, choice=choice, explanation=explanation, by=by)
        _want_no_labels([pair.pk for pair in pairs.values()])
    return len(rows)


def _row(line: str) -> tuple[str, str, Choice, str]:
    """Raises ValueError, in words for a person."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"This is no JSON: {error.msg} at character {error.pos + 1}.") from error
    if not isinstance(said, dict):
        raise ValueError('Write an object: {"id": …, "use": …, "choice": …}.')
    pair_id, use, choice = said.get("id"), said.get("use"), str(said.get("choice"))
    explanation = said.get("explanation", "")
    if not isinstance(pair_id, str) or not pair_id:
        raise ValueError("“id” must be the id of a pair.")
    if use not in Control.Use.values:
        raise ValueError(f"“use” must be one of {', '.join(Control.Use.values)}.")
    if choice not in CHOICES:
        raise ValueError("“choice” must be 1, 2 or tie, in the pair's own order.")
    if not isinstance(explanation, str):
        raise ValueError("“explanation” must be text.")
    return pair_id, use, CHOICES[choice], explanation


def controls_of(dataset: Dataset):
    """Those in use, with how many people answered them and how many of their first answers were right."""
    first = Q(answers__attempt=1)
    return (
        Control.objects.filter(pair__dataset=dataset, active=True)
        .select_related("pair__prompt")
        .annotate(
            answered=Count("answers", filter=first), right=Count("answers", filter=first & Q(answers__right=True))
        )
        .order_by("use", "pk")
    )


def keep_from_labelling(*, pair_id: int, user: User) -> None:
    """Whoever has met a pair as a control is never given it to label."""
    if not Slot.objects.filter(pair=pair_id, annotator=user).exists():
        Skip.objects.bulk_create([Skip(pair_id=pair_id, annotator=user, reason=MET)], ignore_conflicts=True)


def answer(
    *, control: Control, user: User, attempt: int, choice: Choice, swapped: bool, seconds: float | None, **more: object
) -> tuple[ControlAnswer, bool]:
    """Keep an answer, in the pair's own terms; the first of an attempt stands. True where it is new."""
    said = {"choice": choice, "right": choice == control.choice, "shown_swapped": swapped, "seconds": seconds} | more
    # Few statements, so that nobody can tell a control pair by how long its answer takes.
    with transaction.atomic(savepoint=False):
        mine = ControlAnswer.objects.filter(control=control, annotator=user, attempt=attempt)
        if first := mine.first():
            return first, False
        keep_from_labelling(pair_id=control.pair_id, user=user)
        given = ControlAnswer(control=control, annotator=user, attempt=attempt, **said)
        return ControlAnswer.objects.bulk_create([given], ignore_conflicts=True)[0], True
