"""A control pair wants no labels, and people label a dataset to its end without it."""

import pytest
from django.db import transaction

from annotation.assignment import claim_next
from annotation.controls import answer, set_control, withdraw
from annotation.dataset_settings import raise_labels_per_pair
from annotation.labeling import Decision, record_label
from annotation.models import Choice, Control, Label, Role, Slot
from annotation.overview import team_overview
from annotation.queueing import QueueError, queue_of, send
from annotation.slots import labels_not_wanted
from annotation.study import study_of
from judging.dataset_page import numbers_of
from tests import factories
from tests.beside import Beside

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher():
    return factories.make_user(role=Role.RESEARCHER)


def use(pair, kind, by):
    return set_control(pair=pair, use=kind, choice=Choice.FIRST, explanation="", by=by)


def slots_of(pair):
    return list(Slot.objects.filter(pair=pair).order_by("number").values_list("number", "state"))


def test_a_dataset_of_which_all_have_met_the_control_pairs_comes_to_its_end(researcher):
    made = factories.make_dataset(slug="way", pairs=2, labels_per_pair=3)
    known = use(factories.make_pair(dataset=made), "qualification", researcher)
    for annotator in [factories.make_user() for _ in range(3)]:
        answer(control=known, user=annotator, attempt=1, choice=Choice.FIRST, swapped=False, seconds=1)
        while slot := claim_next(user=annotator, dataset=made):
            decision = Decision(choice=Choice.FIRST, swapped=slot.swapped)
            record_label(user=annotator, dataset=made, pair_id=slot.pair_id, decision=decision)
    assert Label.objects.count() == 6
    study = study_of(made)
    assert (study.done, study.remaining) == (6, 0)
    [overview] = [each for each in team_overview(user=researcher) if each.dataset == made]
    assert (overview.labels, overview.labels_wanted) == (6, 6)
    assert numbers_of(dataset=made, wait=True).wanted == 6


def test_a_control_pair_keeps_its_labels_and_wants_labels_again_when_it_is_withdrawn(researcher):
    made = factories.make_dataset(slug="way", pairs=1, labels_per_pair=3)
    pair, annotator = made.pairs.get(), factories.make_user()
    factories.make_label(pair=pair, annotator=annotator)
    practice, mixed = (use(pair, kind, researcher) for kind in ("practice", "mixed"))
    assert slots_of(pair) == [(1, "done")]
    assert labels_not_wanted() == {made.pk: 2}
    raise_labels_per_pair(dataset=made, labels_per_pair=4, by=researcher)
    assert slots_of(pair) == [(1, "done")]
    withdraw(control=practice)
    assert slots_of(pair) == [(1, "done")]
    withdraw(control=mixed)
    assert slots_of(pair) == [(1, "done"), (2, "free"), (3, "free"), (4, "free")]
    assert labels_not_wanted() == {}


def test_who_has_it_open_when_it_becomes_a_control_pair_may_finish_or_pass_it_on_for_good(researcher):
    made = factories.make_dataset(slug="way", pairs=1, labels_per_pair=2)
    pair, annotator = made.pairs.get(), factories.make_user()
    assert claim_next(user=annotator, dataset=made)
    use(pair, "practice", researcher)
    assert slots_of(pair) == [(1, "claimed")]
    assert Slot.objects.claimed_by(annotator).set_free() == 1
    assert slots_of(pair) == []
    with pytest.raises(QueueError, match="others now"):
        send(dataset=made, pair_ids=[pair.pk], known="1-0")
    assert queue_of(dataset=made, pair_ids=[pair.pk]).controls == [pair.pk]


def test_a_split_of_a_control_pair_asks_nobody_further(researcher):
    made = factories.make_dataset(slug="way", pairs=2, labels_per_pair=2, labels_on_split=1)
    known, other = made.pairs.order_by("pk")
    Control.objects.create(pair=known, use="practice", choice=Choice.FIRST)
    for pair in (known, other):
        for choice in (Choice.FIRST, Choice.SECOND):
            factories.make_label(pair=pair, annotator=factories.make_user(), choice=choice)
    assert [number for number, _ in slots_of(known)] == [1, 2]
    assert [number for number, _ in slots_of(other)] == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_a_pair_that_becomes_one_while_more_labels_are_asked_for_wants_none(researcher):
    made = factories.make_dataset(slug="way", pairs=2, labels_per_pair=1)
    known, other = made.pairs.order_by("pk")
    other_tab = Beside(lambda: use(known, "practice", researcher))
    with transaction.atomic():
        raise_labels_per_pair(dataset=made, labels_per_pair=3, by=researcher)
        other_tab.begins_and_waits()
    other_tab.ends()
    assert slots_of(known) == []
    assert len(slots_of(other)) == 3
