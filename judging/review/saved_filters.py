"""Filters of the review list that people keep under a name, for themselves or for all who review."""

from dataclasses import dataclass

from django import forms
from django.db import IntegrityError, transaction
from django.http import QueryDict

from annotation.models import Dataset, User
from judging.models import SavedFilter
from judging.review.form import Chip, ReviewForm

# More than this many are more than anybody finds their way in.
MOST = 50


class SavedFilterError(ValueError):
    """A filter that cannot be kept so; the text says what to do."""


class NameForm(forms.Form):
    """A name, and who sees the filter."""

    name = forms.CharField(label="Name", max_length=60, error_messages={"required": "Give the filter a name."})
    shared = forms.BooleanField(label="Share it with everybody who reviews", required=False)


@dataclass(frozen=True)
class Shown:
    """A saved filter in words. wrong: why it no longer parses, nothing where it does."""

    saved: SavedFilter
    chips: list[Chip]
    wrong: list[str]


def save(*, dataset: Dataset, owner: User, name: str, query: str, shared: bool) -> SavedFilter:
    """Keep the filters of an address under a name. Raises SavedFilterError, and keeps nothing, where they are wrong."""
    form = ReviewForm(QueryDict(query), dataset=dataset)
    if not form.is_valid():
        raise SavedFilterError("These filters are wrong as they stand: mend them first, then save them.")
    if not form.query:
        raise SavedFilterError("No filter is set: choose some, press Show, and save them then.")
    if len(form.query) > SavedFilter._meta.get_field("query").max_length:
        raise SavedFilterError("These filters are too long to be kept: take some away.")
    if SavedFilter.objects.filter(dataset=dataset, owner=owner).count() >= MOST:
        raise SavedFilterError(f"You keep {MOST} filters of this dataset already: delete some first.")
    saved = SavedFilter(dataset=dataset, owner=owner, name=name, query=form.query, shared=shared)
    return _stored(saved)


def change(*, saved: SavedFilter, name: str, shared: bool) -> SavedFilter:
    """Another name, or other people who see it. Raises SavedFilterError where the name is taken."""
    saved.name, saved.shared = name, shared
    return _stored(saved)


def _stored(saved: SavedFilter) -> SavedFilter:
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as error:
        raise SavedFilterError(f"There is a filter “{saved.name}” already: choose another name.") from error
    return saved


def shown(*, dataset: Dataset, user: User) -> list[Shown]:
    """All that this person sees, each read as its address would be now."""
    found = SavedFilter.objects.filter(dataset=dataset).visible_to(user).select_related("owner")
    return [_shown(saved, dataset) for saved in found]


def _shown(saved: SavedFilter, dataset: Dataset) -> Shown:
    form = ReviewForm(QueryDict(saved.query), dataset=dataset)
    valid = form.is_valid()
    wrong = [words for errors in form.errors.values() for words in errors]
    return Shown(saved, form.chips if valid else [], wrong)
