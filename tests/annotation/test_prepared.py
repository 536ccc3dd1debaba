"""Statements whose plan is kept: the same answers, on Django's terms, and no plan that goes bad."""

import pytest
from django.db import IntegrityError, connection, transaction

from annotation import prepared, slots
from annotation.assignment import claim_next
from annotation.labeling import Decision, record_label
from annotation.models import Choice, Dataset, Generator, User
from annotation.progress import own_progress
from annotation.showing import shown
from tests import factories

pytestmark = pytest.mark.django_db

MANY = 3_000


def label_next(user, dataset):
    slot = claim_next(user=user, dataset=dataset)
    shown(slot=slot)
    own_progress(user=user, dataset=dataset)
    record_label(
        user=user, dataset=dataset, pair_id=slot.pair_id, decision=Decision(choice=Choice.FIRST, swapped=slot.swapped)
    )


def plans():
    """How often the kept plan of each statement was used."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans FROM pg_prepared_statements")
        return [number for (number,) in cursor.fetchall()]


def rows_read():
    """In all tables, by this transaction so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables")
        return cursor.fetchone()[0]


def test_an_object_is_what_django_would_have_read():
    user = factories.make_user()
    assert prepared.by(User, "id", user.pk).__dict__.keys() == User.objects.get(pk=user.pk).__dict__.keys()
    assert prepared.by(User, "username", user.username) == user
    assert prepared.by(User, "id", 0) is None
    dataset = factories.make_dataset()
    read = prepared.by(Dataset, "slug", dataset.slug)
    assert (read.created_at, read._state.adding, read._state.db) == (dataset.created_at, False, "default")


def test_no_value_is_cut_to_the_length_of_its_column():
    slug = "a" * 80
    Dataset.objects.create(slug=slug)
    assert prepared.by(Dataset, "slug", slug).slug == slug
    assert prepared.by(Dataset, "slug", slug + "b") is None


def test_failures_and_the_log_of_queries_are_djangos(django_assert_num_queries):
    Generator.objects.create(name="taken")
    insert = "INSERT INTO annotation_generator (name) VALUES (%s) RETURNING id"
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.first_row(insert, ["taken"])
    with django_assert_num_queries(1):
        assert prepared.first_row(insert, ["free"])
    assert Generator.objects.count() == 2


def test_plans_are_kept_and_made_anew_when_a_dataset_has_grown(monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(slots, "_MANY", 3 * MANY)
    annotator = factories.make_user()
    dataset = factories.make_dataset(pairs=30, labels_per_pair=3)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for _ in range(20):
        label_next(annotator, dataset)
    assert sum(number > 0 for number in plans()) >= 3
    factories.add_pairs(dataset=dataset, number=MANY)
    with django_capture_on_commit_callbacks(execute=True):
        assert slots.make_slots(dataset=dataset) == 3 * MANY
    before = rows_read()
    label_next(annotator, dataset)
    assert 0 < rows_read() - before < 200


@pytest.mark.django_db(transaction=True)
def test_plans_that_went_with_a_restart_of_the_database_are_made_anew(services):
    annotator = factories.make_user()
    dataset = factories.make_dataset(pairs=20, labels_per_pair=1)
    for _ in range(8):
        label_next(annotator, dataset)
    assert plans()
    connection.close()  # As at the end of a request: back to the pool.
    services.stop_database()
    services.start_database()
    for done in range(9, 17):
        label_next(annotator, dataset)
        assert own_progress(user=annotator, dataset=dataset).done == done
    assert plans()
