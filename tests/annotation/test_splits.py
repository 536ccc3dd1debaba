"""Where people differ: kept by the database beside the labels, whatever changes them."""

from collections import Counter
from itertools import combinations
from random import Random

import pytest
from django.db import transaction

from annotation.models import Choice, Label, Pair, Split
from tests import factories
from tests.beside import Beside

pytestmark = pytest.mark.django_db


def stored() -> dict[int, int]:
    return dict(Split.objects.values_list("pair", "agreement"))


def expected() -> dict[int, int]:
    """By the definition: of all ways to take two labels, how many percent agree; only where somebody differs."""
    found = {}
    for pair in Pair.objects.prefetch_related("labels"):
        both = list(combinations([label.choice for label in pair.labels.all()], 2))
        agree = sum(a == b for a, b in both)
        if agree < len(both):
            found[pair.pk] = 100 * agree // len(both)
    return found


def test_splits_follow_whatever_happens_to_labels():
    random = Random(5)
    people = [factories.make_user() for _ in range(5)]
    datasets = [factories.make_dataset(pairs=6, labels_per_pair=5) for _ in range(2)]
    for pair in Pair.objects.all():
        for person in people[: random.randint(0, 5)]:
            factories.make_label(pair=pair, annotator=person, choice=random.choice(Choice.values))
    assert stored() == expected()
    assert len(Counter(stored().values())) > 2
    assert set(Split.objects.values_list("dataset", flat=True)) == {dataset.pk for dataset in datasets}
    for label in Label.objects.all():
        label.choice = random.choice(Choice.values)
        label.save()
        assert stored() == expected()
    Label.objects.filter(annotator=people[0]).update(choice=Choice.TIE)
    assert stored() == expected()
    Label.objects.filter(annotator__in=people[1:3]).delete()
    assert stored() == expected()
    Label.objects.update(choice=Choice.TIE)
    assert stored() == {}


def test_a_pair_takes_its_split_along():
    pair = factories.make_pair()
    for choice in (Choice.FIRST, Choice.SECOND):
        factories.make_label(pair=pair, annotator=factories.make_user(), choice=choice)
    assert stored() == {pair.pk: 0}
    pair.delete()
    assert stored() == {}


@pytest.mark.django_db(transaction=True)
def test_two_labels_at_the_same_time_see_each_other():
    pair = factories.make_pair()
    one, two = factories.make_user(), factories.make_user()
    for slot, person in zip(pair.slots.order_by("number"), (one, two), strict=False):
        slot.state, slot.annotator = slot.State.DONE, person
        slot.save()
    other = Beside(lambda: Label.objects.create(pair=pair, annotator=two, choice=Choice.SECOND))
    with transaction.atomic():
        Label.objects.create(pair=pair, annotator=one, choice=Choice.FIRST)
        # Without that, neither would know of the other.
        other.begins_and_waits()
    other.ends()
    assert stored() == {pair.pk: 0}
