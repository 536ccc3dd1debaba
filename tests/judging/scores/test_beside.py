"""Two policies side by side."""

import html
import re

import numpy as np
import pytest
from django.core.cache import cache
from django.urls import reverse

from annotation.bootstrap import PromptBootstrap
from annotation.models import Role
from judging.scores.beside import beside, differences, gold_change
from judging.scores.comparison import scored
from judging.scores.evidence import read
from judging.scores.policies import PRESETS, policy_named
from tests import factories
from tests.judging.scored import make_scored_dataset


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


def test_gold_that_is_gained_lost_and_changed():
    change = gold_change(np.array([1, 2, -1, 0, -1]), np.array([1, 0, 2, -1, -1]))
    assert (change.one, change.other, change.gained, change.lost, change.changed) == (3, 3, 1, 1, 1)


@pytest.mark.parametrize("n_prompts", [60, 3000])
def test_the_difference_of_a_policy_from_itself_is_surely_nothing(n_prompts):
    rng = np.random.default_rng(1)
    gold, said = rng.integers(0, 3, (2, 2 * n_prompts))
    bootstrap = PromptBootstrap(np.arange(2 * n_prompts) // 2)
    found = differences((gold, gold), (said, said), bootstrap)
    assert {name: (m.value, m.interval) for name, m in found.items()} == dict.fromkeys(
        ("accuracy", "f1_macro", "kappa"), (0, (0, 0))
    )


def test_the_difference_is_counted_on_the_same_draw_and_narrower_than_its_parts():
    rng = np.random.default_rng(1)
    gold, said = rng.integers(0, 3, (2, 600))
    other = said.copy()
    other[:30] = gold[:30]
    bootstrap = PromptBootstrap(np.arange(600) // 3)
    accuracy = differences((gold, gold), (said, other), bootstrap)["accuracy"]
    one, two = (scored(gold, s, bootstrap)["accuracy"] for s in (said, other))
    assert accuracy.value == pytest.approx(two.value - one.value)
    assert 0 < accuracy.interval[0] < accuracy.value < accuracy.interval[1]
    assert accuracy.interval[1] - accuracy.interval[0] < (one.interval[1] - one.interval[0]) / 1.5


@pytest.mark.django_db
def test_a_judge_under_both_policies_and_why_they_differ():
    dataset, run = make_scored_dataset()
    found = beside(read(dataset), one=PRESETS["default"], other=policy_named("unanimous.out.out.given"))
    # Seven pairs have a majority; five of them are unanimous.
    assert (found.gold.one, found.gold.other, found.gold.lost, found.gold.gained) == (7, 5, 2, 0)
    judge = next(judge for judge in found.judges if judge.run)
    # Of the five, the invalid verdict is left out under the second policy: 1, 2, 0 and 2 are right.
    assert (judge.n, judge.one["accuracy"].value, judge.other["accuracy"].value) == ((7, 4), 3 / 7, 1)
    assert judge.difference["accuracy"].value == pytest.approx(4 / 7)
    assert (judge.run, judge.invalid, judge.conflicts) == (run, 1, 2)
    # Two that flip are ties no more, and the invalid one is nothing.
    assert judge.moved == 3
    assert [about for about, _, _ in found.rules] == [
        "Gold",
        "An invalid verdict",
        "Verdicts that differ between the orders",
    ]


@pytest.mark.django_db
def test_the_page_shows_both_and_leads_to_invalid_verdicts_and_conflicts(client):
    _, run = make_scored_dataset()
    client.force_login(factories.make_user(role=Role.REVIEWER))
    response = client.get(reverse("leaderboard", args=["scored"]), {"policy": "default", "beside": "paper"})
    page = html.unescape(response.content.decode())
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "Gold: 7 pairs under default, 7 under paper: 0 gained, 0 lost, 0 with another gold." in text
    where = reverse("review", args=["scored"])
    invalid = f'{where}?policy=default&kind=invalid&run={run.pk}">1 invalid</a>'
    assert f"{invalid}: counted as wrong; then counted as a tie" in page
    assert f'{where}?policy=default&kind=order_flip&run={run.pk}">2 order conflicts</a>: a tie in both' in page
    assert "1 verdict counts otherwise." in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "words"),
    [("lenient", "No policy is called 'lenient'"), ("default", "Beside default choose another policy")],
)
def test_a_policy_that_cannot_stand_beside_is_told(client, asked, words):
    make_scored_dataset()
    client.force_login(factories.make_user(role=Role.REVIEWER))
    response = client.get(reverse("leaderboard", args=["scored"]), {"policy": "default", "beside": asked})
    assert response.status_code == 400
    assert words in html.unescape(response.content.decode())
    assert "Judges, baselines and people" in response.content.decode()
