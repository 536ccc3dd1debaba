"""Trust in a run: temperature, thresholds and their halves, against what is known to come out; and the page."""

import numpy as np
import pytest
from django.urls import reverse

from annotation.models import Choice, Role
from judging.models import JudgeRun, Verdict
from judging.scores.comparison import ABSENT
from judging.trust.numbers import (
    calibration_of,
    held_out,
    kept,
    log_loss,
    risk_coverage,
    scaled,
    temperature,
    threshold_for,
)
from tests import factories
from tests.judging.scored import make_judge


def overconfident(n: int, *, by: float, seed: int = 0):
    """Gold drawn from probabilities, these made surer by a temperature, and these as they were."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([2, 2, 2], size=n)
    gold = np.array([rng.choice(3, p=row) for row in p])
    return gold, scaled(p, 1 / by), p


def test_the_temperature_is_the_one_that_the_probabilities_were_made_with():
    gold, sure, true = overconfident(20_000, by=2.5)
    found = temperature(gold, sure)
    assert found == pytest.approx(2.5, rel=0.05)
    assert np.abs(scaled(sure, 2.5) - true).mean() < 1e-3
    assert log_loss(gold, scaled(sure, found)) <= log_loss(gold, true) + 1e-4
    assert temperature(gold, true) == pytest.approx(1, rel=0.05)


def test_scaling_changes_no_choice_and_sums_to_one():
    _, sure, _ = overconfident(500, by=1.0)
    for t in (0.1, 0.5, 3.0, 15.0):
        after = scaled(sure, t)
        assert (after.argmax(axis=1) == sure.argmax(axis=1)).all()
        assert np.allclose(after.sum(axis=1), 1)
    assert np.isnan(scaled(np.full((1, 3), np.nan), 2.0)).all()


def test_it_makes_what_was_held_out_truer():
    gold, sure, _ = overconfident(6000, by=3.0)
    prompts = np.arange(6000) // 6
    out = held_out(prompts)
    t = temperature(np.where(out, ABSENT, gold), sure)
    before, after = calibration_of(gold, sure, out, prompts), calibration_of(gold, scaled(sure, t), out, prompts)
    assert after.ece.value < before.ece.value / 3
    assert after.brier.value < before.brier.value
    assert after.ece.interval


def test_halves_split_prompts_and_not_pairs():
    prompts = np.repeat(np.arange(101), 5)
    out = held_out(prompts, seed=3)
    assert out.sum() == 50 * 5
    assert all(len(set(out[prompts == prompt])) == 1 for prompt in range(101))
    assert (held_out(prompts, seed=4) != out).any()


def test_risk_and_coverage_by_hand():
    """Four pairs, of 0.9 right, 0.8 wrong, 0.8 right, 0.6 wrong: the two of 0.8 are kept or left together."""
    p = np.array([[0.05, 0.9, 0.05], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2], [np.nan] * 3])
    gold, said = np.array([1, 2, 2, 0, 1]), np.array([1, 1, 2, 1, 1])
    thresholds, coverage, risks = risk_coverage(gold, p, said)
    assert thresholds.tolist() == [0.9, 0.8, 0.6]
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risks.tolist() == pytest.approx([0, 1 / 3, 1 / 2])
    everywhere = np.ones(5, dtype=bool)
    assert threshold_for(gold, p, said, accuracy=0.6, where=everywhere) == 0.8
    assert threshold_for(gold, p, said, accuracy=0.99, where=everywhere) == 0.9
    assert threshold_for(gold, p, np.array([0, 0, 0, 1, 1]), accuracy=0.5, where=everywhere) is None
    at = kept(gold, p, said, 0.8, everywhere, np.arange(5))
    assert (at.n, at.coverage, at.accuracy.value) == (3, 0.75, pytest.approx(2 / 3))
    assert kept(gold, p, said, 0.95, everywhere, np.arange(5)).accuracy.undefined


def test_a_threshold_keeps_what_it_promises_on_what_it_was_not_chosen_on():
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], size=8000)
    gold = np.array([rng.choice(3, p=row) for row in p])
    said, prompts = p.argmax(axis=1), np.arange(8000) // 4
    out = held_out(prompts)
    found = threshold_for(gold, p, said, accuracy=0.8, where=~out)
    tried = kept(gold, p, said, found, out, prompts)
    assert tried.accuracy.value == pytest.approx(0.8, abs=0.03)
    assert tried.accuracy.interval[0] < tried.accuracy.value < tried.accuracy.interval[1]


pages = pytest.mark.django_db


@pytest.fixture
def judged():
    """Forty pairs of twenty prompts: the judge is right where it is sure."""
    dataset = factories.make_dataset(slug="judged", labels_per_pair=1)
    person = factories.make_user()
    run = JudgeRun.objects.create(judge=make_judge("sure"), dataset=dataset, order=JudgeRun.Order.BOTH)
    prompts = [factories.make_prompt() for _ in range(20)]
    for number in range(40):
        pair = factories.make_pair(dataset=dataset, prompt=prompts[number // 2], texts=(f"a{number}", f"b{number}"))
        top = 0.4 + 0.55 * (number / 39)
        factories.make_label(
            pair=pair, annotator=person, choice=Choice.FIRST if number > 19 or number % 2 else Choice.SECOND
        )
        for swapped in (False, True):
            lean = top + (0.02 if swapped else -0.02)
            Verdict.objects.create(
                run=run, pair=pair, swapped=swapped, choice=1, p_1=lean, p_2=(1 - lean) / 2, p_tie=(1 - lean) / 2
            )
    return run


@pytest.fixture
def reviewer(client):
    client.force_login(factories.make_user(role=Role.REVIEWER))


@pages
@pytest.mark.parametrize("policy", ["default", "released-files"])
def test_the_page_leads_to_just_the_pairs_that_it_leaves_to_people(client, reviewer, judged, policy):
    answer = client.get(reverse("trust", args=[judged.pk]), {"policy": policy, "accuracy": "90"})
    trust = answer.context["trust"]
    assert (trust.n, trust.learnt_from + trust.tried_on) == (40, 40)
    assert trust.steps[0].accuracy.value == 0.75
    assert 0 < trust.choice.to_people < 40
    link = f"{reverse('review', args=['judged'])}?{trust.choice.query}"
    assert link.replace("&", "&amp;") in answer.content.decode()
    count = client.get(link.replace("/review/", "/review/count/")).content.decode()
    assert count.strip() == str(trust.choice.to_people)
    rows = client.get(link)
    assert "less sure than" in rows.content.decode()


@pages
def test_what_cannot_be_reached_and_what_gave_no_probabilities_is_said(client, reviewer, judged):
    page = reverse("trust", args=[judged.pk])
    Verdict.objects.update(choice=2)
    assert "No threshold reaches" in client.get(page, {"accuracy": "100"}).content.decode()
    Verdict.objects.update(p_1=None, p_2=None, p_tie=None)
    assert "gave no probabilities" in client.get(page).content.decode()


@pages
@pytest.mark.parametrize("query", [{"accuracy": "7"}, {"accuracy": "many"}, {"seed": "-1"}, {"policy": "nonsense"}])
def test_what_is_wrong_in_the_address_is_said(client, reviewer, judged, query):
    assert client.get(reverse("trust", args=[judged.pk]), query).status_code == 400


@pages
def test_to_be_less_sure_is_about_a_run(client, reviewer, judged):
    answer = client.get(reverse("review", args=["judged"]), {"below": "0.5"})
    assert answer.status_code == 400
    assert "Choose the run whose verdict is meant" in answer.content.decode()
