"""Two runs side by side: every number is that of its list, and the test is McNemar's on the pairs with gold."""

import html
import re

import pytest
from django.urls import reverse

from annotation.models import Role
from judging.models import JudgeRun
from judging.scores.comparison import mcnemar
from tests import factories
from tests.judging.scored import make_judge, make_verdict

pytestmark = pytest.mark.django_db
FIRST = [1, 1, 1, 2, 2, 0, None, 1]
SECOND = [1, 2, 0, 2, 1, None, 1, 1]
GOLD = [1, 1, 0, 2, 1, 0, 1, None]


@pytest.fixture
def runs():
    dataset = factories.make_dataset(slug="two", labels_per_pair=1)
    made = [JudgeRun.objects.create(judge=make_judge(name), dataset=dataset) for name in ("one", "other")]
    person = factories.make_user()
    for number, (first, second, gold) in enumerate(zip(FIRST, SECOND, GOLD, strict=True)):
        pair = factories.make_pair(dataset=dataset, texts=(f"a{number}", f"b{number}"))
        make_verdict(made[0], pair, first)
        make_verdict(made[1], pair, second)
        if gold is not None:
            factories.make_label(pair=pair, annotator=person, choice=gold)
    return made


@pytest.fixture
def reviewer(client):
    client.force_login(factories.make_user(role=Role.REVIEWER))


def page(client, runs, **query: object):
    return client.get(reverse("run_compare", args=[runs[0].pk]), {"other": runs[1].pk, **query})


def test_it_counts_what_changed_and_who_is_right(client, reviewer, runs):
    found = page(client, runs).context["comparison"]
    assert (found.n, found.changed) == (8, 5)
    assert [[cell.n for cell in cells] for _, cells in found.rows] == [
        [2, 1, 1, 0],
        [0, 0, 0, 1],
        [1, 0, 1, 0],
        [1, 0, 0, 0],
    ]
    assert (found.paired.n, found.paired.only_a_right, found.paired.only_b_right) == (7, 2, 3)
    assert found.paired.p == mcnemar(2, 3)


@pytest.mark.parametrize("policy", ["default", "released-files"])
def test_every_number_is_that_of_the_list_it_leads_to(client, reviewer, runs, policy):
    text = page(client, runs, policy=policy).content.decode()
    links = re.findall(r'href="(/datasets/two/review/[^"]*)"[^>]*>(?:<strong>)?([0-9]+)<', text)
    assert len(links) >= 6
    for link, number in links:
        counted = client.get(html.unescape(link).replace("/review/?", "/review/count/?")).content.decode().strip()
        assert counted == number, link


def test_a_run_that_is_none_of_the_dataset_is_said(client, reviewer, runs):
    elsewhere = JudgeRun.objects.create(judge=runs[0].judge, dataset=factories.make_dataset())
    for other in (elsewhere.pk, runs[0].pk, "x"):
        answer = page(client, [runs[0], runs[1]], other=other)
        assert answer.status_code == 400
        assert "choose one of the list" in answer.content.decode()


def test_a_run_that_is_alone_says_so(client, reviewer):
    run = JudgeRun.objects.create(judge=make_judge("alone"), dataset=factories.make_dataset())
    assert "No other judge has been run" in client.get(reverse("run_compare", args=[run.pk])).content.decode()
