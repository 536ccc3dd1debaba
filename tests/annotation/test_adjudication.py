"""Adjudications and comments: one current, history kept, and forms that say what is missing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.urls import reverse

from annotation.adjudication import adjudicate
from annotation.models import Adjudication, Choice, Comment, Role
from tests import factories

GOOD = {"choice": "tie", "cause": "taste", "note": "both are fine"}


@pytest.fixture
def reviewer(db, client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


@pytest.fixture
def pair(db):
    return factories.make_pair()


def said(pair, by, choice: Choice = Choice.FIRST) -> Adjudication:
    return adjudicate(pair=pair, choice=choice, cause=Adjudication.Cause.FACTUAL, note="", by=by)


def test_the_newest_is_current_and_the_earlier_are_kept(pair, reviewer):
    first, second = said(pair, reviewer), said(pair, reviewer, Choice.SECOND)
    assert list(pair.adjudications.order_by("pk").values_list("pk", "choice", "current")) == [
        (first.pk, 1, False),
        (second.pk, 2, True),
    ]


def test_a_double_click_adjudicates_once(pair, reviewer):
    assert said(pair, reviewer) == said(pair, reviewer)
    assert pair.adjudications.count() == 1
    said(pair, factories.make_user(role=Role.REVIEWER))
    assert pair.adjudications.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_leave_one_current():
    pair = factories.make_pair()
    reviewers = [factories.make_user(role=Role.REVIEWER) for _ in range(8)]

    def one(number_and_user):
        try:
            return said(pair, number_and_user[1], Choice(number_and_user[0] % 3))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, enumerate(reviewers)))
    assert pair.adjudications.count() == 8
    assert pair.adjudications.filter(current=True).count() == 1


def test_a_plain_form_leads_back_to_the_pair_with_its_filters(client, reviewer, pair):
    response = client.post(reverse("adjudicate", args=[pair.pk]) + "?kind=human_split&policy=paper", GOOD)
    assert response.url == f"/pairs/{pair.pk}/?kind=human_split&policy=paper"
    stored = pair.adjudications.get()
    assert (stored.choice, stored.cause, stored.note, stored.by) == (0, "taste", "both are fine", reviewer)
    assert "Adjudicated: Tie." in client.get(response.url).content.decode()


def test_htmx_gets_the_renewed_part(client, reviewer, pair):
    said(pair, reviewer)
    response = client.post(reverse("adjudicate", args=[pair.pk]), GOOD, headers={"HX-Request": "true"})
    content = response.content.decode()
    assert response.headers["HX-Trigger"] == "said"
    assert "<html" not in content
    assert "both are fine" in content
    assert "Earlier adjudications" in content


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"choice": ""}, "Choose 1, 2 or tie."),
        ({"choice": "0"}, "none of 1, 2 and tie"),
        ({"cause": ""}, "Choose the cause."),
        ({"cause": "mood"}, "is no cause"),
        ({"note": "x" * 10_001}, "at most 10000"),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_what_is_missing_is_said_and_what_was_written_stays(client, reviewer, pair, change, says, htmx):
    headers = {"HX-Request": "true"} if htmx else {}
    response = client.post(reverse("adjudicate", args=[pair.pk]), GOOD | change, headers=headers)
    assert response.status_code == 422
    content = response.content.decode()
    assert says in content
    assert ("<html" in content) is not htmx
    assert "note" in change or "both are fine" in content
    assert not Adjudication.objects.exists()


def test_a_comment_is_kept_and_shown_safely(client, reviewer, pair):
    url = reverse("comment", args=[pair.pk])
    assert client.post(url, {"text": "**sure** <script>alert(1)</script>"}).url == f"/pairs/{pair.pk}/"
    assert Comment.objects.get().author == reviewer
    content = client.get(reverse("pair", args=[pair.pk])).content.decode()
    assert "<strong>sure</strong>" in content
    assert "<script>alert" not in content


def test_a_double_click_comments_once_and_a_plain_form_says_the_same_as_htmx(client, reviewer, pair):
    url = reverse("comment", args=[pair.pk])
    client.post(url, {"text": "one\r\ntwo"})
    client.post(url, {"text": "one\ntwo"}, headers={"HX-Request": "true"})
    assert Comment.objects.get().text == "one\ntwo"
    client.post(url, {"text": "three"})
    client.post(url, {"text": "one\ntwo"})
    assert Comment.objects.count() == 3


def test_a_comment_has_an_end(client, reviewer, pair):
    response = client.post(reverse("comment", args=[pair.pk]), {"text": "x" * 10_001})
    assert response.status_code == 422
    assert "at most 10000" in response.content.decode()
    assert not Comment.objects.exists()


def test_an_empty_comment_is_refused(client, reviewer, pair):
    response = client.post(reverse("comment", args=[pair.pk]), {"text": " "}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert "Write something first." in response.content.decode()
    assert not Comment.objects.exists()


@pytest.mark.parametrize("name", ["adjudicate", "comment"])
def test_only_reviewers_write_and_only_by_post(client, reviewer, pair, name):
    url = reverse(name, args=[pair.pk])
    assert client.get(url).status_code == 405
    assert client.post(reverse(name, args=[0]), GOOD).status_code == 404
    client.force_login(factories.make_user())
    assert client.post(url, GOOD | {"text": "hello"}).status_code == 403
    assert not Comment.objects.exists()
    assert not Adjudication.objects.exists()
