"""Who gets which pair: exactly N labels on each, nobody twice, at a cost that does not grow."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from annotation.assignment import NoClaimError, claim_next, dataset_to_label, release, skip
from annotation.labeling import Decision, record_label
from annotation.models import Choice, Label, Skip, Slot
from annotation.slots import make_slots
from tests import factories

pytestmark = pytest.mark.django_db

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def annotator():
    return factories.make_user()


@pytest.fixture
def dataset():
    return factories.make_dataset(pairs=5, labels_per_pair=2)


def label_next(user, dataset):
    slot = claim_next(user=user, dataset=dataset)
    if slot is None:
        return None
    decision = Decision(choice=Choice.FIRST, swapped=slot.swapped)
    record_label(user=user, dataset=dataset, pair_id=slot.pair_id, decision=decision)
    return slot.pair_id


def run_out(slot):
    Slot.objects.filter(pk=slot.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_a_claim_is_the_annotators_for_half_an_hour(annotator, dataset):
    before = timezone.now()
    slot = claim_next(user=annotator, dataset=dataset)
    assert (slot.annotator, slot.state) == (annotator, Slot.State.CLAIMED)
    assert slot.pair == dataset.pairs.order_by("pk").first()
    assert before + HALF_AN_HOUR <= slot.expires_at <= timezone.now() + HALF_AN_HOUR


def test_asking_again_gives_the_same_claim_and_makes_it_longer(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    again = claim_next(user=annotator, dataset=dataset)
    assert (again.pk, again.claimed_at) == (slot.pk, slot.claimed_at)
    assert again.expires_at > slot.expires_at


def test_a_claim_of_ones_own_that_ran_out_is_taken_up_again(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    run_out(slot)
    again = claim_next(user=annotator, dataset=dataset)
    assert again.pk == slot.pk
    assert again.expires_at > timezone.now()


def test_pairs_are_completed_one_after_the_other(dataset):
    first, second = dataset.pairs.order_by("pk")[:2]
    people = [factories.make_user() for _ in range(3)]
    got = [claim_next(user=person, dataset=dataset).pair for person in people]
    assert got == [first, first, second]


def test_an_annotator_meets_each_pair_once_and_then_none(annotator, dataset):
    pairs = [label_next(annotator, dataset) for _ in range(6)]
    assert pairs == [*dataset.pairs.order_by("pk").values_list("pk", flat=True), None]


def test_claims_of_others_that_ran_out_come_first(annotator, dataset):
    label_next(annotator, dataset)
    label_next(annotator, dataset)
    gone = factories.make_user()
    left = claim_next(user=gone, dataset=dataset)
    assert left.pair == dataset.pairs.order_by("pk").first()
    run_out(left)
    new = factories.make_user()
    taken = claim_next(user=new, dataset=dataset)
    assert (taken.pk, taken.annotator) == (left.pk, new)


def test_a_claim_that_ran_out_on_a_pair_that_one_has_labelled_is_passed_over(annotator, dataset):
    pair = label_next(annotator, dataset)
    left = claim_next(user=factories.make_user(), dataset=dataset)
    assert left.pair_id == pair
    run_out(left)
    assert claim_next(user=annotator, dataset=dataset).pair_id != pair


def test_after_going_back_for_a_claim_that_ran_out_one_goes_on_where_one_was():
    dataset = factories.make_dataset(pairs=4, labels_per_pair=1)
    first, second, third, _ = dataset.pairs.order_by("pk").values_list("pk", flat=True)
    left = claim_next(user=factories.make_user(), dataset=dataset)
    assert left.pair_id == first
    annotator = factories.make_user()
    assert label_next(annotator, dataset) == second
    run_out(left)
    assert [label_next(annotator, dataset), label_next(annotator, dataset)] == [first, third]


def test_what_came_free_behind_is_found_when_nothing_is_ahead():
    dataset = factories.make_dataset(pairs=3, labels_per_pair=1)
    other, annotator = factories.make_user(), factories.make_user()
    left = claim_next(user=other, dataset=dataset)
    ahead = [label_next(annotator, dataset) for _ in range(2)]
    assert left.pair_id not in ahead
    assert claim_next(user=annotator, dataset=dataset) is None
    skip(user=other, dataset=dataset, pair_id=left.pair_id, reason="x")
    assert label_next(annotator, dataset) == left.pair_id


def test_imported_labels_do_not_move_an_annotator_forward(annotator, dataset):
    *_, last = dataset.pairs.order_by("pk")
    factories.make_label(pair=last, annotator=annotator)
    assert claim_next(user=annotator, dataset=dataset).pair == dataset.pairs.order_by("pk").first()


def test_a_skipped_pair_is_free_for_others_and_gone_for_oneself(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    skip(user=annotator, dataset=dataset, pair_id=slot.pair_id, reason="Not my subject")
    assert Skip.objects.get().reason == "Not my subject"
    assert Slot.objects.filter(pair=slot.pair_id, state=Slot.State.FREE).count() == 2
    assert claim_next(user=annotator, dataset=dataset).pair_id != slot.pair_id
    assert claim_next(user=factories.make_user(), dataset=dataset).pair_id == slot.pair_id


def test_skipping_twice_is_once(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    for _ in range(2):
        skip(user=annotator, dataset=dataset, pair_id=slot.pair_id, reason="x")
    assert Skip.objects.count() == 1


def test_a_pair_that_one_does_not_hold_cannot_be_skipped(annotator, dataset):
    slot = claim_next(user=factories.make_user(), dataset=dataset)
    with pytest.raises(NoClaimError):
        skip(user=annotator, dataset=dataset, pair_id=slot.pair_id, reason="x")
    assert not Skip.objects.exists()
    slot.refresh_from_db()
    assert slot.state == Slot.State.CLAIMED


def test_a_decided_pair_cannot_be_released(annotator, dataset):
    label_next(annotator, dataset)
    assert release(user=annotator, dataset=dataset) == 0
    assert Slot.objects.get(annotator=annotator).state == Slot.State.DONE


def test_one_goes_on_in_the_dataset_worked_in_last(annotator):
    factories.make_dataset(slug="aa", pairs=2)
    other = factories.make_dataset(slug="zz", pairs=2)
    assert dataset_to_label(user=annotator).slug == "aa"
    label_next(annotator, other)
    assert dataset_to_label(user=annotator) == other
    label_next(annotator, other)
    assert dataset_to_label(user=annotator).slug == "aa"


def test_datasets_of_others_are_not_offered(annotator):
    factories.make_dataset(pairs=1, everyone_labels=False)
    assert dataset_to_label(user=annotator) is None


@pytest.mark.parametrize("done", [0, 400])
def test_a_claim_reads_as_little_late_as_early(annotator, done):
    """Rows that the claim touches, counted by PostgreSQL: no more after 400 labels than at the start."""
    dataset = factories.make_dataset(labels_per_pair=3)
    factories.add_pairs(dataset=dataset, number=500)
    make_slots(dataset=dataset)
    now = timezone.now()
    own = Slot.objects.filter(dataset=dataset, number=1).order_by("pair")[:done]
    for minutes, slot in enumerate(own):
        slot.state, slot.annotator = Slot.State.DONE, annotator
        slot.claimed_at = slot.expires_at = now - timedelta(days=1) + timedelta(minutes=minutes)
        slot.save()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_slot")
        before = _tuples_read(cursor)
        slot = claim_next(user=annotator, dataset=dataset)
        read = _tuples_read(cursor) - before
    assert Slot.objects.filter(dataset=dataset, pair__lt=slot.pair_id, annotator=annotator).count() == done
    assert 0 < read < 40


def _tuples_read(cursor) -> int:
    cursor.execute(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'annotation_slot'"
    )
    return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_twenty_annotators_at_once_give_exactly_n_labels_a_pair_and_nobody_twice():
    dataset = factories.make_dataset(pairs=40, labels_per_pair=3)
    people = [factories.make_user() for _ in range(20)]

    def work(person):
        try:
            return list(iter(lambda: label_next(person, dataset), None))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(work, people))
    assert all(len(set(pairs)) == len(pairs) for pairs in done)
    labels = Counter(Label.objects.values_list("pair", flat=True))
    assert set(labels.values()) == {3}
    assert len(labels) == 40
    assert not Slot.objects.exclude(state=Slot.State.DONE).exists()


@pytest.mark.django_db(transaction=True)
def test_one_annotator_asking_ten_times_at_once_holds_one_claim():
    dataset = factories.make_dataset(pairs=10, labels_per_pair=3)
    person = factories.make_user()

    def ask(_):
        try:
            return claim_next(user=person, dataset=dataset).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(ask, range(10)))) == 1
    assert Slot.objects.claimed_by(person).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_decision_ten_times_at_once_is_one_label():
    dataset = factories.make_dataset(pairs=1)
    person = factories.make_user()
    slot = claim_next(user=person, dataset=dataset)

    def decide(choice):
        try:
            decision = Decision(choice=choice, swapped=slot.swapped)
            return record_label(user=person, dataset=dataset, pair_id=slot.pair_id, decision=decision)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        stored = list(pool.map(decide, [Choice.FIRST, Choice.SECOND] * 5))
    assert stored.count(True) == 1
    assert Label.objects.count() == 1
