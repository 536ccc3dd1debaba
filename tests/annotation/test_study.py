"""What the page of a study counts."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from annotation.controls import MET
from annotation.models import Choice, Label, LateDecision, Quota, Role, Skip, Slot
from annotation.reveal import AUDITED, SEEN
from annotation.study import study_of
from annotation.study_tables import TABLES
from annotation.templatetags.moments import moment
from tests.factories import make_dataset, make_label, make_user

pytestmark = pytest.mark.django_db


def labelled_here(pair, annotator, *, ago: timedelta = timedelta(), **fields) -> Label:
    """A label as an annotator makes it: claimed first, and then decided."""
    label = make_label(pair=pair, annotator=annotator, **fields)
    at = timezone.now() - ago
    Slot.objects.filter(pair=pair, annotator=annotator).update(claimed_at=at)
    Label.objects.filter(pk=label.pk).update(created_at=at, changed_at=at)
    return label


def by_name(study) -> dict:
    return {person.user.username: person for person in study.people}


def test_done_remaining_and_each_person():
    dataset = make_dataset(pairs=4, labels_per_pair=2)
    anna, ben = make_user(username="anna"), make_user(username="ben")
    pairs = list(dataset.pairs.all())
    for n, seconds in enumerate((4, 10, 7)):
        labelled_here(pairs[n], anna, seconds=seconds, flag="expert" if n == 0 else "", ago=timedelta(hours=n))
    labelled_here(pairs[0], ben, ago=timedelta(days=2))
    Skip.objects.create(pair=pairs[3], annotator=ben)
    LateDecision.objects.create(pair=pairs[0], annotator=make_user(), choice=Choice.TIE, shown_swapped=False)
    labelled_here(make_dataset(pairs=1).pairs.get(), anna, seconds=99)
    study = study_of(dataset)
    assert (study.done, study.remaining, study.wanted, study.late, study.imported) == (4, 4, 8, 1, 0)
    assert [person.user.username for person in study.people] == ["anna", "ben"]
    found = by_name(study)
    assert (found["anna"].labels, found["anna"].share, found["anna"].median_seconds) == (3, 0.75, 7.0)
    assert (found["anna"].flags, found["anna"].skips) == (1, 0)
    assert (found["ben"].skips, found["ben"].median_seconds) == (1, None)
    assert found["ben"].last_active > timezone.now() - timedelta(minutes=1)
    assert study.recent == [3, 0, 1]
    assert study.pace.labels == 4


@pytest.mark.parametrize("reason", [MET, SEEN, AUDITED])
def test_a_pair_that_is_kept_from_somebody_is_no_skip(reason):
    dataset = make_dataset(pairs=2)
    first, second = dataset.pairs.all()
    anna, ben = make_user(username="anna"), make_user(username="ben")
    Skip.objects.create(pair=first, annotator=anna, reason="I don't read this language")
    for person in (anna, ben):
        Skip.objects.create(pair=second, annotator=person, reason=reason)
    assert [(person.user.username, person.skips) for person in study_of(dataset).people] == [("anna", 1)]


def test_the_median_of_an_even_number_lies_between():
    dataset = make_dataset(pairs=4)
    anna = make_user(username="anna")
    for pair, seconds in zip(dataset.pairs.all(), (1.0, 2.0, 4.0, 100.0), strict=True):
        labelled_here(pair, anna, seconds=seconds)
    assert by_name(study_of(dataset))["anna"].median_seconds == 3.0


def test_imported_labels_are_done_and_no_pace():
    dataset = make_dataset(pairs=2)
    anna = make_user(username="anna")
    first, second = dataset.pairs.all()
    make_label(pair=first, annotator=anna)
    labelled_here(second, anna)
    study = study_of(dataset)
    assert (study.done, study.imported, study.pace.labels) == (2, 1, 1)
    assert [(labels, so_far) for _, labels, so_far in study.totals()] == [(1, 2)]


def test_quotas_are_the_datasets_or_a_persons_own():
    dataset = make_dataset(pairs=3, quota=2)
    anna, ben = make_user(username="anna"), make_user(username="ben")
    Quota.objects.create(dataset=dataset, annotator=ben, labels=1)
    for pair in dataset.pairs.all():
        labelled_here(pair, anna)
    labelled_here(dataset.pairs.first(), ben)
    found = by_name(study_of(dataset))
    assert (found["anna"].quota, found["anna"].quota_left) == (2, 0)
    assert (found["ben"].quota, found["ben"].quota_left) == (1, 0)


def test_those_who_are_named_for_it_are_there_before_their_first_label():
    dataset = make_dataset(pairs=1, everyone_labels=False)
    dataset.annotators.add(make_user(username="anna"))
    (person,) = study_of(dataset).people
    assert (person.user.username, person.labels, person.quota_left, person.last_active) == ("anna", 0, None, None)


def test_held_slots_remain():
    dataset = make_dataset(pairs=1, labels_per_pair=3)
    later, earlier = timezone.now() + timedelta(minutes=5), timezone.now() - timedelta(minutes=5)
    for slot, expires in zip(Slot.objects.order_by("number"), (later, earlier), strict=False):
        Slot.objects.filter(pk=slot.pk).update(
            state="claimed", annotator=make_user(), claimed_at=earlier, expires_at=expires
        )
    study = study_of(dataset)
    assert (study.remaining, study.held) == (3, 1)


def test_days_without_labels_are_days_too():
    dataset = make_dataset(pairs=2)
    anna = make_user(username="anna")
    first, second = dataset.pairs.all()
    labelled_here(first, anna, ago=timedelta(days=3))
    labelled_here(second, anna)
    assert [(labels, so_far) for _, labels, so_far in study_of(dataset).totals()] == [(1, 1), (0, 1), (0, 1), (1, 2)]


def test_days_are_those_of_the_installations_zone(settings):
    settings.TIME_ZONE = "Asia/Kolkata"  # Half an hour off: 18:30 in UTC is midnight.
    dataset = make_dataset(pairs=2)
    anna = make_user(username="anna")
    for pair, minute in zip(dataset.pairs.all(), (29, 31), strict=True):
        label = labelled_here(pair, anna)
        Label.objects.filter(pk=label.pk).update(created_at=datetime(2026, 11, 3, 18, minute, tzinfo=UTC))
    assert [(f"{day:%d}", n) for day, n, _ in study_of(dataset).totals()[:2]] == [("03", 1), ("04", 1)]


def test_a_dataset_that_nobody_labelled():
    study = study_of(make_dataset(pairs=2))
    assert (study.done, study.remaining, study.people, study.days, study.projection) == (0, 6, [], [], None)


def test_tables_as_csv_run_no_formula():
    dataset = make_dataset(pairs=1)
    labelled_here(dataset.pairs.get(), make_user(username="@anna"), seconds=2.5)
    study = study_of(dataset)
    (person,) = csv.DictReader(io.StringIO(b"".join(TABLES["people"](study)).decode("utf-8-sig")))
    assert (person["annotator"], person["labels"], person["median_seconds"]) == ("'@anna", "1", "2.5")
    (day,) = csv.DictReader(io.StringIO(b"".join(TABLES["days"](study)).decode("utf-8-sig")))
    assert (day["labels"], day["'@anna"], day["day"]) == ("1", "1", timezone.localdate().isoformat())


def test_queries_do_not_grow_with_people(django_assert_max_num_queries):
    dataset = make_dataset(pairs=1, labels_per_pair=8)
    for _ in range(8):
        labelled_here(dataset.pairs.get(), make_user())
    with django_assert_max_num_queries(8):
        study_of(dataset)


def test_a_moment_says_its_zone_and_is_exact(settings):
    at = timezone.datetime(2026, 11, 3, 9, 5, 7, tzinfo=timezone.get_fixed_timezone(120))
    assert moment(at) == '<time datetime="2026-11-03T07:05:07Z" data-moment="minutes">3 Nov 2026, 07:05 UTC</time>'
    assert moment(at, "date") == '<time datetime="2026-11-03T07:05:07Z" data-moment="date">3 Nov 2026</time>'
    assert ">3 Nov 2026, 07:05:07 UTC<" in moment(at, "seconds")
    assert moment(None) == ""


def test_the_page_and_its_tables(client):
    dataset = make_dataset(slug="d", pairs=3)
    labelled_here(dataset.pairs.first(), make_user(username="anna"), ago=timedelta(days=1))
    client.force_login(make_user(role=Role.REVIEWER))
    page = client.get("/datasets/d/study/").content.decode()
    assert "1</span>" in page
    assert "anna" in page
    assert "fewer than three days are too few for a range" in page
    assert client.get("/datasets/d/study/people.csv").headers["Content-Disposition"].endswith('"d-people.csv"')
    assert client.get("/datasets/d/study/").content.decode().count('class="chart"') == 2


@pytest.mark.parametrize(
    ("late", "said"), [(1, "1 decision was sent when it counted"), (2, "2 decisions were sent when they counted")]
)
def test_decisions_that_count_for_nothing_need_not_have_come_too_late(client, late, said):
    pair = make_dataset(slug="d", pairs=1).pairs.get()
    for _ in range(late):
        LateDecision.objects.create(pair=pair, annotator=make_user(), choice=Choice.TIE, shown_swapped=False)
    client.force_login(make_user(role=Role.REVIEWER))
    page = client.get("/datasets/d/study/").content.decode()
    assert f"{said} for nothing: too late, while paused, or when no longer asked" in page


@pytest.mark.parametrize(("fields", "said"), [({"labels_per_pair": 0}, "No human labels"), ({}, "Nobody has labelled")])
def test_the_page_before_the_first_label(client, fields, said):
    make_dataset(slug="d", pairs=1, **fields)
    client.force_login(make_user(role=Role.RESEARCHER))
    assert said in client.get("/datasets/d/study/").content.decode()
