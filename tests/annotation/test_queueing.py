"""Pairs that are to be labelled next."""

import pytest
from django.db import connection

from annotation.adjudication import adjudicate
from annotation.assignment import claim_next
from annotation.models import Label, Role, Slot
from annotation.queueing import QueueError, queue_of, send
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset():
    """Four pairs that want one label each: the first two have it, of the same person."""
    made = factories.make_dataset(slug="queued", labels_per_pair=1, pairs=4)
    who = factories.make_user(role=Role.ANNOTATOR, username="first")
    for pair in made.pairs.order_by("pk")[:2]:
        factories.make_label(pair=pair, annotator=who, choice=1)
    return made


def ids(dataset) -> list[int]:
    return list(dataset.pairs.order_by("pk").values_list("pk", flat=True))


def test_a_labelled_pair_gets_one_place_more_and_an_open_one_comes_first(dataset):
    pairs = ids(dataset)
    queue = queue_of(dataset=dataset, pair_ids=[pairs[0], pairs[3]])
    assert (queue.further, queue.sooner, queue.sent) == ([pairs[0]], [pairs[3]], 2)
    send(dataset=dataset, pair_ids=[pairs[0], pairs[3]], known=queue.known)
    assert Slot.objects.filter(pair=pairs[0]).count() == 2
    somebody = factories.make_user(role=Role.ANNOTATOR)
    assert claim_next(user=somebody, dataset=dataset).pair_id == pairs[0]
    # Who has labelled it does not get it again.
    assert claim_next(user=Label.objects.first().annotator, dataset=dataset).pair_id == pairs[3]


def test_sent_twice_is_sent_once(dataset):
    pairs = ids(dataset)
    first = queue_of(dataset=dataset, pair_ids=pairs)
    send(dataset=dataset, pair_ids=pairs, known=first.known)
    again = queue_of(dataset=dataset, pair_ids=pairs)
    assert (again.sent, again.waiting) == (0, pairs)
    send(dataset=dataset, pair_ids=pairs, known=again.known)
    assert Slot.objects.filter(dataset=dataset).count() == 6


def test_where_the_numbers_are_others_by_now_nothing_is_done(dataset):
    pairs = ids(dataset)
    known = queue_of(dataset=dataset, pair_ids=pairs).known
    claim_next(user=factories.make_user(role=Role.ANNOTATOR), dataset=dataset)
    with pytest.raises(QueueError, match="Look at them again"):
        send(dataset=dataset, pair_ids=pairs, known=known)
    assert not Slot.objects.filter(dataset=dataset, rank__lt=0).exists()
    assert Slot.objects.filter(dataset=dataset).count() == 4


def test_the_side_can_not_be_computed_from_the_id_of_the_pair():
    """Every database has a key of its own: the bare id's hash tells no more than a coin."""
    by_hash = "(get_byte(decode(md5(id::text), 'hex'), 0) % 2 = 0)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE annotation_side(id, 1) = {by_hash}) FROM generate_series(1, 1000) AS id"
        )
        (same,) = cursor.fetchone()
    assert 400 < same < 600  # six standard deviations


def test_sides_of_further_places_go_on_alternating(dataset):
    pair = ids(dataset)[0]
    for _ in range(2):
        Slot.objects.filter(pair=pair, state="free").update(
            state="done", annotator=factories.make_user(role=Role.ANNOTATOR)
        )
        send(dataset=dataset, pair_ids=[pair], known=queue_of(dataset=dataset, pair_ids=[pair]).known)
    second, third = Slot.objects.filter(pair=pair, number__gt=1).order_by("number").values_list("swapped", flat=True)
    assert second != third


def test_an_adjudicated_pair_stays_as_it_is(dataset):
    pair = dataset.pairs.order_by("pk").first()
    adjudicate(pair=pair, choice=2, cause="taste", note="", by=factories.make_user(role=Role.REVIEWER))
    queue = queue_of(dataset=dataset, pair_ids=[pair.pk])
    assert (queue.sent, queue.adjudicated) == (0, [pair.pk])


def test_a_dataset_that_wants_no_labels_says_so():
    dataset = factories.make_dataset(labels_per_pair=0, pairs=1)
    with pytest.raises(QueueError, match="wants no labels"):
        queue_of(dataset=dataset, pair_ids=ids(dataset))
