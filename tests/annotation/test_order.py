"""Whose turn it is: orders of pairs, shuffling, further labels where people differ, sides."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotation.assignment import claim_next, extend_claim, own_place, release
from annotation.dataset_settings import raise_labels_per_pair, rearrange
from annotation.labeling import Decision, record_label
from annotation.models import Choice, Dataset, Label, Slot
from annotation.ranks import RING, renewed
from annotation.slots import make_slots
from judging.models import JudgeRun, Verdict
from tests import factories
from tests.beside import Beside

pytestmark = pytest.mark.django_db
Order = Dataset.PairOrder


def label_next(user, dataset, choice=Choice.FIRST):
    slot = claim_next(user=user, dataset=dataset)
    if slot is None:
        return None
    decision = Decision(choice=choice, swapped=slot.swapped)
    record_label(user=user, dataset=dataset, pair_id=slot.pair_id, decision=decision)
    return slot.pair_id


def all_of(user, dataset):
    return list(iter(lambda: label_next(user, dataset), None))


def pairs_of(dataset):
    return list(dataset.pairs.order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def arranged(django_capture_on_commit_callbacks):
    def arrange(dataset, **settings):
        Dataset.objects.filter(pk=dataset.pk).update(**settings)
        dataset.refresh_from_db()
        with django_capture_on_commit_callbacks(execute=True):
            assert rearrange(dataset=dataset) is None
        dataset.refresh_from_db()

    return arrange


def test_fewest_labels_first_gives_every_pair_one_before_any_gets_two():
    dataset = factories.make_dataset(pairs=4, labels_per_pair=2, pair_order=Order.FEWEST)
    one, two = factories.make_user(), factories.make_user()
    first, second, third, fourth = pairs_of(dataset)
    assert [label_next(person, dataset) for person in (one, two, one, two)] == [first, second, third, fourth]
    assert all_of(one, dataset) == [second, fourth]
    assert all_of(two, dataset) == [first, third]


def test_an_order_that_is_changed_on_the_way_holds_for_all_that_is_free(arranged):
    dataset = factories.make_dataset(pairs=4, labels_per_pair=2)
    one, two = factories.make_user(), factories.make_user()
    first, second, third, fourth = pairs_of(dataset)
    assert [label_next(one, dataset), label_next(two, dataset), label_next(one, dataset)] == [first, first, second]
    arranged(dataset, pair_order=Order.FEWEST)
    assert [label_next(two, dataset), label_next(two, dataset), label_next(two, dataset)] == [third, fourth, second]


def judged(dataset, probabilities):
    run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=dataset, frozen={})
    for pair, (p_1, p_2, p_tie) in zip(pairs_of(dataset), probabilities, strict=False):
        Verdict.objects.create(run=run, pair_id=pair, choice=Choice.FIRST, p_1=p_1, p_2=p_2, p_tie=p_tie)


def test_pairs_of_which_the_judge_is_least_sure_come_first_and_those_without_a_verdict_last(arranged):
    dataset = factories.make_dataset(pairs=4, labels_per_pair=1)
    sure, unsure, between, unknown = pairs_of(dataset)
    judged(dataset, [(0.9, 0.05, 0.05), (0.4, 0.38, 0.22), (0.1, 0.6, 0.3)])
    arranged(dataset, pair_order=Order.UNCERTAIN)
    assert all_of(factories.make_user(), dataset) == [unsure, between, sure, unknown]


def test_pairs_that_come_later_have_their_rank_from_the_start(arranged):
    dataset = factories.make_dataset(pairs=1, labels_per_pair=2)
    arranged(dataset, pair_order=Order.FEWEST)
    factories.make_pair(dataset=dataset)
    assert list(Slot.objects.order_by("pair", "number").values_list("rank", flat=True)) == [0, 1, 0, 1]


def test_shuffled_everybody_begins_elsewhere_and_meets_each_pair_once(arranged):
    dataset = factories.make_dataset(pairs=30, labels_per_pair=4)
    arranged(dataset, shuffled=True)
    orders = [all_of(factories.make_user(), dataset) for _ in range(4)]
    assert len({order[0] for order in orders}) > 1
    for order in orders:
        assert sorted(order) == pairs_of(dataset)
        # The same ring, begun elsewhere; and no order of the file.
        turn = orders[0].index(order[0])
        assert order == orders[0][turn:] + orders[0][:turn]
        assert order != sorted(order)
    assert Slot.objects.filter(rank__lt=0).count() == 0


def test_shuffled_within_an_order_the_order_holds(arranged):
    dataset = factories.make_dataset(pairs=10, labels_per_pair=2)
    arranged(dataset, shuffled=True, pair_order=Order.FEWEST)
    one, two = factories.make_user(), factories.make_user()
    met = {label_next(person, dataset) for _ in range(5) for person in (one, two)}
    assert len(met) == 10
    assert set(Slot.objects.filter(state="done").values_list("number", flat=True)) == {1}
    assert Slot.objects.filter(number=2, rank__gte=RING).count() == 10
    assert len(all_of(one, dataset) + all_of(two, dataset)) == 10


@pytest.mark.parametrize("chosen", [{}, {"pair_order": Order.FEWEST}])
@pytest.mark.parametrize("begins", [0.1, 0.8])
def test_a_shuffled_claim_reads_as_little_late_as_early(arranged, chosen, begins):
    dataset = factories.make_dataset(labels_per_pair=2)
    factories.add_pairs(dataset=dataset, number=2_000)
    make_slots(dataset=dataset)
    arranged(dataset, shuffled=True, **chosen)
    annotators = iter(factories.make_user, None)
    annotator = next(a for a in annotators if begins <= own_place(user=a, dataset=dataset) / RING < begins + 0.1)
    early = rows_read_of_claims(annotator, dataset)
    label_in_turn(annotator, dataset, 1_500)
    late = rows_read_of_claims(annotator, dataset)
    assert 0 < max(late) <= 2 * max(early)


def label_in_turn(annotator, dataset, count):
    """What so many claims and labels leave of the slots, in the order of the annotator's ring."""
    place = own_place(user=annotator, dataset=dataset)
    slots = Slot.objects.open_to(user=annotator, dataset=dataset).filter(rank__lt=RING)
    firsts = {slot.pair_id: slot for slot in slots}
    done = sorted(firsts.values(), key=lambda slot: (slot.rank - place) % RING)[:count]
    now = timezone.now()
    for turn, slot in enumerate(done):
        slot.state, slot.annotator, slot.claimed_at = Slot.State.DONE, annotator, now + timedelta(microseconds=turn)
    Slot.objects.bulk_update(done, ["state", "annotator", "claimed_at"])


def rows_read_of_claims(annotator, dataset):
    read = []
    with connection.cursor() as cursor:
        # As PostgreSQL does by itself: before it has, any index of what is somebody's is as good as another.
        cursor.execute("ANALYZE")
        for _ in range(20):
            before = rows_read(cursor)
            assert label_next(annotator, dataset)
            read.append(rows_read(cursor) - before)
    return read


def rows_read(cursor):
    cursor.execute("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname='annotation_slot'")
    return cursor.fetchone()[0]


def split(dataset, choices):
    """Each of these by a person of their own, on the first pair."""
    people = [factories.make_user() for _ in choices]
    for person, choice in zip(people, choices, strict=True):
        factories.make_label(pair=dataset.pairs.first(), annotator=person, choice=choice)
    return people


def test_where_people_differ_further_labels_are_asked_for_out_of_turn_and_once():
    dataset = factories.make_dataset(pairs=3, labels_per_pair=2, labels_on_split=1)
    first, *_ = pairs_of(dataset)
    split(dataset, [Choice.FIRST, Choice.SECOND])
    assert list(Slot.objects.filter(pair=first, state="free").values_list("number", "rank")) == [(3, -2)]
    other = factories.make_user()
    later = pairs_of(dataset)[1]
    factories.make_label(pair=dataset.pairs.get(pk=later), annotator=other)
    assert label_next(other, dataset) == first
    label = Label.objects.filter(pair=first).first()
    label.choice = Choice.TIE
    label.save()
    assert Slot.objects.filter(pair=first).count() == 3
    assert not Slot.objects.filter(pair=first, state="free").exists()


@pytest.mark.parametrize("choices", [[Choice.FIRST, Choice.FIRST], [Choice.FIRST]])
def test_where_people_agree_or_are_not_done_nothing_further_is_asked(choices):
    dataset = factories.make_dataset(pairs=1, labels_per_pair=2, labels_on_split=2)
    split(dataset, choices)
    assert Slot.objects.count() == 2


def test_a_split_that_is_there_when_the_setting_comes_asks_too(arranged):
    dataset = factories.make_dataset(pairs=2, labels_per_pair=2)
    split(dataset, [Choice.FIRST, Choice.SECOND])
    assert Slot.objects.count() == 4
    for _ in range(2):
        arranged(dataset, labels_on_split=2)
        assert Slot.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_two_labels_at_once_that_differ_ask_once():
    dataset = factories.make_dataset(pairs=1, labels_per_pair=2, labels_on_split=1)
    one, two = factories.make_user(), factories.make_user()
    slots = [claim_next(user=person, dataset=dataset) for person in (one, two)]

    def second():
        decision = Decision(choice=Choice.SECOND, swapped=False)
        record_label(user=two, dataset=dataset, pair_id=slots[1].pair_id, decision=decision)

    other = Beside(second)
    with transaction.atomic():
        decision = Decision(choice=Choice.FIRST, swapped=False)
        record_label(user=one, dataset=dataset, pair_id=slots[0].pair_id, decision=decision)
        other.begins_and_waits()
    other.ends()
    assert sorted(Slot.objects.values_list("number", flat=True)) == [1, 2, 3]


@pytest.mark.parametrize("labels", [2, 3, 4])
def test_sides_are_balanced_over_a_pair_also_for_further_slots_and_when_more_are_wanted(labels, arranged):
    dataset = factories.make_dataset(pairs=40, labels_per_pair=labels, labels_on_split=1)
    for pair in dataset.pairs.all():
        for number in range(labels):
            factories.make_label(pair=pair, annotator=factories.make_user(), choice=Choice.values[number % 2])
    raise_labels_per_pair(dataset=dataset, labels_per_pair=labels + 2, by=None)
    slots = Slot.objects.values_list("pair", "number", "swapped")
    sides = {}
    for pair, number, swapped in sorted(slots):
        sides.setdefault(pair, []).append(swapped)
        assert number == len(sides[pair])
    for drawn in sides.values():
        assert len(drawn) == labels + 2
        for upto in range(1, len(drawn) + 1):
            assert abs(2 * sum(drawn[:upto]) - upto) <= 1
    assert 8 <= sum(drawn[0] for drawn in sides.values()) <= 32


def test_a_label_keeps_the_side_that_it_was_made_on():
    dataset = factories.make_dataset(pairs=20, labels_per_pair=2)
    people = [factories.make_user(), factories.make_user()]
    for person in people:
        all_of(person, dataset)
    for label in Label.objects.all():
        assert label.shown_swapped == Slot.objects.get(pair=label.pair_id, annotator=label.annotator_id).swapped
    left = Counter(Label.objects.filter(shown_swapped=True).values_list("pair", flat=True))
    assert set(left.values()) == {1}


def test_a_claim_lasts_as_the_dataset_says_and_activity_makes_it_longer():
    dataset = factories.make_dataset(pairs=1, claim_minutes=5)
    annotator = factories.make_user()
    slot = claim_next(user=annotator, dataset=dataset)
    assert 290 < (slot.expires_at - slot.claimed_at).total_seconds() <= 300
    assert extend_claim(user=annotator, dataset=dataset)
    assert Slot.objects.get(pk=slot.pk).expires_at > slot.expires_at
    assert not extend_claim(user=factories.make_user(), dataset=dataset)


def test_signing_out_gives_the_claim_back_and_one_resumes_where_one_stopped(client):
    dataset = factories.make_dataset(pairs=3, labels_per_pair=1)
    annotator = factories.make_user()
    label_next(annotator, dataset)
    slot = claim_next(user=annotator, dataset=dataset)
    client.force_login(annotator)
    client.post("/accounts/logout/")
    assert Slot.objects.get(pk=slot.pk).state == Slot.State.FREE
    assert claim_next(user=annotator, dataset=dataset).pk == slot.pk
    assert release(user=annotator) == 1


def test_after_the_order_was_made_anew_one_begins_at_its_start():
    dataset = factories.make_dataset(pairs=3, labels_per_pair=2)
    first, second, third = pairs_of(dataset)
    annotator, other = factories.make_user(), factories.make_user()
    slot = claim_next(user=other, dataset=dataset)
    assert label_next(annotator, dataset) == first
    assert label_next(annotator, dataset) == second
    Slot.objects.filter(pair=third).update(rank=0)
    Slot.objects.filter(pk=slot.pk).update(state="free", annotator=None, claimed_at=None, expires_at=None)
    renewed(dataset=dataset)
    dataset.refresh_from_db()
    assert label_next(other, dataset) == first


@pytest.mark.django_db(transaction=True)
def test_a_split_that_is_under_way_when_the_setting_comes_is_not_forgotten():
    dataset = factories.make_dataset(pairs=1, labels_per_pair=2)
    one, two = factories.make_user(), factories.make_user()
    slots = [claim_next(user=person, dataset=dataset) for person in (one, two)]
    decisions = [Decision(choice=choice, swapped=False) for choice in (Choice.FIRST, Choice.SECOND)]
    record_label(user=one, dataset=dataset, pair_id=slots[0].pair_id, decision=decisions[0])

    def set_it():
        Dataset.objects.update(labels_on_split=1)
        rearrange(dataset=dataset)

    other = Beside(set_it)
    with transaction.atomic():
        record_label(user=two, dataset=dataset, pair_id=slots[1].pair_id, decision=decisions[1])
        assert Slot.objects.count() == 2
        other.begins_and_waits()
    other.ends()
    assert Slot.objects.count() == 3
