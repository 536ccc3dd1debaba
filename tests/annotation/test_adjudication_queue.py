"""The queue of pairs on which people differ, its causes, and unanimous pairs adjudicated together."""

import csv
import io

import pytest
from django.db import connection
from django.urls import reverse

from annotation import adjudication_queue as queue
from annotation.adjudication import adjudicate
from annotation.models import Adjudication, Choice, Dataset, Label, Role
from jobs.models import Job
from jobs.running import run_here
from tests import factories

pytestmark = pytest.mark.django_db
CAUSE = Adjudication.Cause
# Labels of each pair: two that agree, one that differs from two others, three ways, too few, all the same.
PAIRS = [(1, 1, 1), (1, 1, 2), (0, 1, 2), (2, 2), (0, 0, 0), (2, 2, 2)]


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


@pytest.fixture
def dataset() -> Dataset:
    dataset = factories.make_dataset(slug="split", labels_per_pair=3)
    people = [factories.make_user() for _ in range(3)]
    for labels in PAIRS:
        pair = factories.make_pair(dataset=dataset)
        for person, choice in zip(people, labels, strict=False):
            factories.make_label(pair=pair, annotator=person, choice=choice)
    return dataset


@pytest.fixture
def pairs(dataset):
    return list(dataset.pairs.order_by("pk"))


def unanimous_url(dataset):
    return reverse("adjudicate_unanimous", args=[dataset.slug])


def test_what_waits(dataset, pairs, reviewer):
    found = queue.waiting(dataset)
    assert (found.split, found.split_waiting, found.unanimous, found.first) == (2, 2, 3, pairs[2].pk)
    adjudicate(pair=pairs[2], choice=Choice.TIE, cause=CAUSE.TASTE, note="", by=reviewer)
    found = queue.waiting(dataset)
    assert (found.split_waiting, found.split_done, found.first) == (1, 1, pairs[1].pk)


def test_one_pair_after_the_other_until_none_waits(client, dataset, pairs, reviewer):
    page = client.get(reverse("adjudication", args=["split"])).content.decode()
    query = "kind=human_split&adjudicated=no&desk=on&names=hidden"
    first = f"/pairs/{pairs[2].pk}/?{query}"
    assert first.replace("&", "&amp;") in page
    assert client.get(first).status_code == 200
    said = {"choice": "tie", "cause": "taste", "note": ""}
    answer = client.post(f"{reverse('adjudicate', args=[pairs[2].pk])}?{query}", said)
    answer = client.get(answer.url)
    assert answer.url == f"/pairs/{pairs[1].pk}/?kind=human_split&adjudicated=no&names=hidden&desk=on"
    htmx = client.post(f"{reverse('adjudicate', args=[pairs[1].pk])}?{query}", said, headers={"HX-Request": "true"})
    last = client.get(htmx.headers["HX-Redirect"])
    assert last.url == reverse("adjudication", args=["split"])
    assert "That was the last pair of the list." in client.get(last.url).content.decode()
    assert Adjudication.objects.filter(by=reviewer, current=True).count() == 2


def test_a_skipped_pair_comes_again_at_the_end(client, dataset, pairs, reviewer):
    query = "kind=human_split&adjudicated=no&desk=on"
    following = client.get(f"{reverse('pair_next', args=[pairs[1].pk])}?{query}").url
    assert following.startswith(f"/pairs/{pairs[2].pk}/")


def test_wrong_filters_lead_to_the_list_that_says_so(client, dataset, pairs, reviewer):
    answer = client.get(reverse("pair_next", args=[pairs[1].pk]) + "?kind=nonsense")
    assert answer.url == "/datasets/split/review/?kind=nonsense"


def test_unanimous_pairs_are_those_with_all_labels_alike_and_unflagged(client, dataset, pairs, reviewer):
    Label.objects.filter(pair=pairs[5]).update(flag="broken")
    adjudicate(pair=pairs[0], choice=Choice.SECOND, cause=CAUSE.FACTUAL, note="", by=reviewer)
    assert queue.count_unanimous(dataset) == 1
    assert "Adjudicate 1 pair<" in client.get(unanimous_url(dataset)).content.decode()
    assert client.post(unanimous_url(dataset), {"number": 1}).url == reverse("adjudication", args=["split"])
    made = Adjudication.objects.get(cause=CAUSE.UNANIMOUS)
    assert (made.pair, made.choice, made.by, made.current) == (pairs[4], Choice.TIE, reviewer, True)
    assert Adjudication.objects.get(pair=pairs[0]).choice == Choice.SECOND


def test_twice_changes_nothing(client, dataset, reviewer):
    client.post(unanimous_url(dataset), {"number": 3})
    answer = client.post(unanimous_url(dataset), {"number": 3})
    assert answer.status_code == 409
    assert "somebody has done it already" in answer.content.decode()
    assert Adjudication.objects.count() == 3
    assert queue.adjudicate_unanimous(dataset=dataset, by=reviewer) == 0


def test_another_number_than_was_told_is_told_again(client, dataset, reviewer):
    answer = client.post(unanimous_url(dataset), {"number": 2})
    assert answer.status_code == 409
    assert "it was 2 pairs when you opened this page, and is 3 now" in answer.content.decode()
    assert 'name="number" value="3"' in answer.content.decode()
    assert not Adjudication.objects.exists()


def test_a_dataset_that_wants_one_label_has_no_unanimous_pairs(reviewer):
    dataset = factories.make_dataset(labels_per_pair=1)
    factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=factories.make_user())
    assert queue.count_unanimous(dataset) == 0


@pytest.mark.django_db(transaction=True)
def test_many_are_a_job_and_a_second_click_finds_it(client, dataset, reviewer, monkeypatch):
    monkeypatch.setattr(queue, "AT_ONCE", 1)
    monkeypatch.setattr(queue, "CHUNK", 2)
    first = client.post(unanimous_url(dataset), {"number": 3}).url
    assert client.post(unanimous_url(dataset), {"number": 3}).url == first
    job = Job.objects.get(kind=queue.WORK)
    run_here(job=job)
    assert Job.objects.get(pk=job.pk).state == Job.State.SUCCEEDED
    assert Adjudication.objects.filter(cause=CAUSE.UNANIMOUS, by=reviewer).count() == 3


def test_causes_are_counted_by_what_stands(client, dataset, pairs, reviewer):
    for pair, choice, cause in ((1, 1, CAUSE.TASTE), (2, 0, CAUSE.TASTE), (3, 2, CAUSE.FACTUAL)):
        adjudicate(pair=pairs[pair], choice=Choice(choice), cause=cause, note="", by=reviewer)
    adjudicate(pair=pairs[3], choice=Choice.SECOND, cause=CAUSE.GUIDELINE, note="", by=reviewer)
    queue.adjudicate_unanimous(dataset=dataset, by=reviewer)
    found = [(row.cause, row.n, dict(row.choices)) for row in queue.causes(dataset)]
    assert found == [
        (CAUSE.TASTE, 2, {"1": 1, "tie": 1, "2": 0}),
        (CAUSE.GUIDELINE, 1, {"1": 0, "tie": 0, "2": 1}),
        (CAUSE.UNANIMOUS, 3, {"1": 1, "tie": 1, "2": 1}),
    ]
    page = client.get(reverse("adjudication", args=["split"])).content.decode()
    assert "?cause=taste&amp;gold=tie" in page
    rows = list(
        csv.DictReader(io.StringIO(client.get(reverse("adjudication_causes", args=["split"])).content.decode()))
    )
    assert rows[0] == {
        "cause": "taste",
        "in_words": "A matter of taste",
        "pairs": "2",
        "percent": "66.67",
        "1": "1",
        "tie": "1",
        "2": "0",
    }
    assert [row["percent"] for row in rows[1:]] == ["33.33", ""]


def test_where_everything_is_unanimous_nothing_has_a_share(client, dataset, reviewer):
    queue.adjudicate_unanimous(dataset=dataset, by=reviewer)
    assert [row.share for row in queue.causes(dataset)] == [None]
    assert "<progress" not in client.get(reverse("adjudication", args=["split"])).text.split('id="causes-head"')[1]


def test_nobody_chooses_unanimous_by_hand(client, pairs, reviewer):
    answer = client.post(reverse("adjudicate", args=[pairs[1].pk]), {"choice": "1", "cause": "unanimous"})
    assert answer.status_code == 422
    assert not Adjudication.objects.exists()


def test_an_adjudication_that_comes_at_the_same_time_stays(dataset, pairs, reviewer):
    """As the statement meets one that was committed after it had looked: it inserts nothing and does not fail."""
    adjudicate(pair=pairs[0], choice=Choice.SECOND, cause=CAUSE.FACTUAL, note="", by=reviewer)
    blind = queue._INSERT.replace(
        "AND NOT EXISTS (SELECT FROM annotation_adjudication",
        "AND NOT EXISTS (SELECT FROM (SELECT 0 AS pair_id, true AS current)",
    )
    with connection.cursor() as cursor:
        cursor.execute(blind, queue._asked(dataset) | {"by": reviewer.pk})
    assert list(Adjudication.objects.filter(pair=pairs[0]).values_list("choice", flat=True)) == [Choice.SECOND]
