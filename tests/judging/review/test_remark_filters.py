"""Filters about flags and pairs that were passed on find just the pairs that plain Python finds."""

import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.urls import reverse

from annotation.models import Choice, Dataset, Flag, Label, Role, Skip, User
from annotation.skips import KEPT_BACK
from annotation.study import study_of
from judging.review.form import ReviewForm
from tests import factories
from tests.judging.review.test_label_filters import found
from tests.judging.review.test_review_queries import agreement_and_id, all_ids, pages_through

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled() -> tuple[Dataset, User, User]:
    """Of thirty pairs anna and ben label most, a few with a flag, and pass some of the others on."""
    dataset = factories.make_dataset(slug="asked", pairs=30)
    anna, ben = (factories.make_user(username=name) for name in ("anna", "ben"))
    fill(dataset, anna, ben)
    # What they say elsewhere is found nowhere here.
    fill(factories.make_dataset(slug="beside", pairs=30), ben, anna)
    return dataset, anna, ben


def fill(dataset: Dataset, anna: User, ben: User) -> None:
    kinds = [*Flag.values, "", "", ""]
    for number, pair in enumerate(dataset.pairs.order_by("pk")):
        for at, person in enumerate((anna, ben), 1):
            if number % (4 + at) == 0:
                Skip.objects.create(pair=pair, annotator=person, reason="" if number % 2 else "Too long")
            elif number % 7 == 0:
                Skip.objects.create(pair=pair, annotator=person, reason=KEPT_BACK[number % 3])
            else:
                flag = kinds[(number * at) % len(kinds)]
                choice = Choice.values[(number // at) % 3]
                factories.make_label(pair=pair, annotator=person, flag=flag, choice=choice)


def flagged(dataset: Dataset, **asked: object) -> set[int]:
    return set(Label.objects.filter(pair__dataset=dataset, **asked).exclude(flag="").values_list("pair", flat=True))


def passed_on(dataset: Dataset, **asked: object) -> set[int]:
    skips = Skip.objects.filter(pair__dataset=dataset, **asked).exclude(reason__in=KEPT_BACK)
    return set(skips.values_list("pair", flat=True))


@pytest.mark.parametrize("kind", ["any", *Flag.values])
def test_by_flag(filled, kind):
    dataset, anna, _ = filled
    asked = {} if kind == "any" else {"flag": kind}
    assert flagged(dataset, **asked)
    assert found(dataset, flag=kind) == flagged(dataset, **asked)
    assert found(dataset, flag=kind, annotator=anna.pk) == flagged(dataset, annotator=anna, **asked)


def test_by_flag_and_what_its_annotator_said(filled):
    dataset, anna, ben = filled
    expected = flagged(dataset, annotator=anna, choice=2)
    assert expected
    assert found(dataset, flag="any", annotator=anna.pk, choice="2") == expected
    both = flagged(dataset, annotator=anna) & set(
        Label.objects.filter(pair__dataset=dataset, annotator=ben).values_list("pair", flat=True)
    )
    assert both < flagged(dataset, annotator=anna)
    assert found(dataset, flag="any", annotator=anna.pk, annotator2=ben.pk) == both


def test_by_pairs_that_were_passed_on(filled):
    dataset, anna, ben = filled
    assert found(dataset, skipped="yes") == passed_on(dataset)
    assert found(dataset, skipped="yes", annotator=anna.pk) == passed_on(dataset, annotator=anna)
    labelled = set(Label.objects.filter(pair__dataset=dataset, annotator=ben).values_list("pair", flat=True))
    expected = passed_on(dataset, annotator=anna) & labelled
    assert expected
    assert found(dataset, skipped="yes", annotator=anna.pk, annotator2=ben.pk) == expected
    assert found(dataset, skipped="yes", flag="any") == passed_on(dataset) & flagged(dataset)


@pytest.mark.parametrize("handful", [1, 500])
@pytest.mark.parametrize("few", [0, 200])
@pytest.mark.parametrize("query", ["flag=any", "flag=any&annotator={anna}", "skipped=yes"])
def test_what_people_agree_on_least_comes_first_on_every_page(monkeypatch, filled, handful, few, query):
    monkeypatch.setattr("judging.review.order.FIRST_HANDFUL", handful)
    monkeypatch.setattr("judging.review.order.FEW", few)
    dataset, anna, _ = filled
    carla = factories.make_user()
    for pair in dataset.pairs.order_by("pk")[:25]:
        factories.make_label(pair=pair, annotator=carla, choice=Choice.values[pair.pk % 3])
    form = ReviewForm(QueryDict(query.format(anna=anna.pk)), dataset=dataset)
    assert form.is_valid(), form.errors
    expected = sorted(map(agreement_and_id, all_ids(form.criteria)))
    assert len({agreement for agreement, _ in expected}) > 1
    assert pages_through(form.criteria, size=2) == expected
    assert pages_through(form.criteria, size=2, backwards=True) == expected


def test_filters_say_in_words_what_they_ask_for(filled):
    dataset, anna, _ = filled

    def words(query: str) -> list[str]:
        form = ReviewForm(QueryDict(query), dataset=dataset)
        assert form.is_valid(), form.errors
        return [chip.words for chip in form.chips]

    assert words("flag=any") == ["flagged"]
    assert words("flag=expert") == ["flagged: needs an expert"]
    assert words("skipped=yes") == ["passed on by somebody"]
    assert words(f"annotator={anna.pk}&skipped=yes") == ["anna passed it on"]
    assert words(f"annotator={anna.pk}&flag=any") == ["anna labelled it", "flagged"]


@pytest.mark.parametrize("more", ["choice=1", "flag=any", "guideline=none", "seconds=5-"])
def test_nobody_labels_what_they_pass_on(filled, more):
    dataset, anna, _ = filled
    form = ReviewForm(QueryDict(f"annotator={anna.pk}&skipped=yes&{more}"), dataset=dataset)
    assert "Who passes a pair on does not label it" in form.errors["skipped"][0]


@pytest.mark.parametrize("query", [{"flag": "odd"}, {"skipped": "no"}])
def test_what_is_wrong_is_said(client, filled, query):
    client.force_login(factories.make_user(role=Role.REVIEWER))
    assert client.get(reverse("review", args=["asked"]), query).status_code == 400


def test_the_numbers_of_a_study_lead_to_as_many_pairs(client, filled):
    dataset, anna, ben = filled
    idle = factories.make_user(username="idle")
    Skip.objects.create(pair=dataset.pairs.first(), annotator=idle, reason="Not my field")
    client.force_login(factories.make_user(role=Role.REVIEWER))
    content = client.get(reverse("study", args=["asked"])).content.decode()
    links = re.findall(r'<a href="([^"]*\?annotator=(\d+)&amp;(?:skipped|flag)=[^"]*)">(\d+)</a>', content)
    numbers = {person.user.pk: (person.skips, person.flags) for person in study_of(dataset).people}
    told = [n for each in numbers.values() for n in each if n]
    assert len(told) == 5
    assert sorted(told) == sorted(int(number) for _, _, number in links)
    assert {int(pk) for _, pk, _ in links} == {anna.pk, ben.pk, idle.pk}
    for link, _, number in links:
        query = link.partition("?")[2].replace("&amp;", "&")
        counted = client.get(reverse("review_count", args=["asked"]) + "?" + query)
        assert counted.content.decode().strip() == number


def test_flagged_labels_have_an_index_in_the_order_of_the_list(filled):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT DISTINCT pair_id FROM annotation_label WHERE flag <> '' AND flag = 'expert' AND pair_id > 5"
        )
        assert "label_flagged" in str(cursor.fetchall())
