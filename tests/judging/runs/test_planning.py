"""What a run would take, told before it is started: from a sample, by the very requests, with the budget beside it."""

import io
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotation.models import Role
from judging.models import JudgeRun
from judging.runs import planning
from judging.runs.planning import in_words, plan_run
from tests import factories
from tests.judging.stub_server import say, serving
from tests.judging.test_paying import EACH, GOOD, done, judge_at, started

pytestmark = pytest.mark.django_db

NOWHERE = "http://127.0.0.1:1/v1"


def judge(**parameters: object):
    given = {"base_url": NOWHERE, "price_in": 1000.0, "price_out": 2000.0, "max_tokens": 50, **parameters}
    return factories.make_judge(backend="openai", model="stub-1", template="json@1", parameters=given)


def uneven(pairs: int):
    dataset = factories.make_dataset()
    for n in range(pairs):
        prompt = factories.make_prompt(instruction=f"Prompt {n}")
        factories.make_pair(dataset=dataset, prompt=prompt, texts=("é" * (40 * n), "b" * (10 * n + 10)))
    return dataset


def test_without_earlier_answers_tokens_are_bytes_by_a_rule_of_thumb():
    dataset = uneven(3)
    plan = plan_run(judge=judge(), dataset=dataset, order="given", reasons="none")
    both = plan_run(judge=judge(), dataset=dataset, order="both", reasons="none")
    assert (plan.pairs, plan.questions, both.questions, plan.sampled_pairs) == (3, 3, 6, 3)
    # Two bytes an é: 10, 100 and 190 bytes of responses, around what is the same in all.
    frame = 3 * (plan.prompt_tokens * 4 / 3 - 100)
    assert 3 * 300 < frame < 3 * 1500
    assert plan.prompt_low == plan.prompt_tokens == plan.prompt_high, "all pairs were looked at"
    assert both.prompt_tokens == pytest.approx(2 * plan.prompt_tokens)
    assert plan.answer_tokens == 3 * planning.ANSWER_TOKENS
    assert plan.cost == pytest.approx(
        Decimal((plan.prompt_tokens * 1000 + plan.answer_tokens * 2000) / 1e6), abs=Decimal("1e-5")
    )
    assert plan.cost_most == pytest.approx(
        Decimal((plan.prompt_tokens * 1000 + 3 * 50 * 2000) / 1e6), abs=Decimal("1e-5")
    )
    reasoned = plan_run(judge=judge(), dataset=dataset, order="given", reasons="all")
    assert reasoned.answer_tokens == 3 * planning.ANSWER_TOKENS_WITH_REASONS
    assert "rule of thumb" in plan.measure.in_words


def test_a_sample_is_the_same_by_its_seed_and_its_interval_holds_the_whole(monkeypatch):
    dataset = uneven(40)
    whole = plan_run(judge=judge(), dataset=dataset, order="given", reasons="none").prompt_tokens
    monkeypatch.setattr(planning, "SAMPLED_PAIRS", 15)
    plans = [plan_run(judge=judge(), dataset=dataset, order="given", reasons="none", seed=n % 20) for n in range(21)]
    assert plans[0] == plans[20]
    assert len({plan.prompt_tokens for plan in plans}) > 10
    held = sum(plan.prompt_low <= whole <= plan.prompt_high for plan in plans[:20])
    assert held >= 16
    assert all(plan.prompt_low < plan.prompt_tokens < plan.prompt_high for plan in plans)


def test_tokens_are_measured_where_the_model_has_answered_before_and_what_is_known_costs_nothing():
    dataset = factories.make_dataset(pairs=4)
    with serving(lambda text, before: say(GOOD)) as server:
        asked = judge_at(server)
        done(started(asked, dataset))
        for n in range(4):
            factories.make_pair(dataset=dataset, external_id=f"new-{n}")
        plan = plan_run(judge=asked, dataset=dataset, order="given", reasons="none")
    # The stub counts a hundred prompt tokens and seven answer tokens, whatever it is asked.
    assert plan.measure.verdicts == 4
    assert plan.prompt_tokens == pytest.approx(800, rel=0.02)
    assert plan.answer_tokens == 8 * 7
    assert plan.known == 0.5
    assert plan.cost == pytest.approx(4 * EACH, rel=Decimal("0.02"))


def test_a_budget_reaches_as_many_pairs_as_it_pays_for():
    dataset, asked = uneven(10), judge()
    whole = plan_run(judge=asked, dataset=dataset, order="given", reasons="none").cost
    for budget, reached in ((whole / 2, 5), (whole * 2, 10)):
        plan = plan_run(judge=asked, dataset=dataset, order="given", reasons="none", budget=budget)
        assert plan.reached_pairs == reached
    assert plan.reach == 1.0


def test_without_prices_tokens_are_told_and_no_cost():
    dataset = uneven(2)
    unpriced = judge(price_in=None, price_out=None)
    plan = plan_run(judge=unpriced, dataset=dataset, order="given", reasons="none", budget=Decimal(1))
    assert plan.prompt_tokens > 0
    assert plan.cost is plan.reach is plan.reached_pairs is None
    assert any("not known" in line for line in in_words(plan))


def test_what_costs_no_money_has_no_plan():
    assert plan_run(judge=factories.make_judge(), dataset=uneven(1), order="given", reasons="none") is None


def test_the_command_says_it_and_starts_nothing():
    out, asked, dataset = io.StringIO(), judge(), uneven(5)
    call_command("run_judge", asked.name, dataset.slug, "--plan", "--budget", "0.10", stdout=out)
    text = out.getvalue()
    assert "Questions: 10 on 5 pairs" in text
    assert "reaches about" in text
    call_command("run_judge", factories.make_judge(name="Fake").name, dataset.slug, "--plan", stdout=out)
    assert "Fake costs no money" in out.getvalue()
    assert not JudgeRun.objects.exists()


def test_the_form_tells_it_and_starts_nothing(client):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    asked, dataset = judge(), uneven(5)
    given = {"judge": asked.pk, "dataset": dataset.slug, "order": "both", "reasons": "none", "budget": "0.50"}
    answer = client.post(reverse("run_new"), given | {"action": "plan"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "What it would take" in page
    assert "The run would pause there" in page
    assert 'value="0.50"' in page, "the form stays filled in"
    nothing = client.post(reverse("run_new"), given | {"action": "plan", "judge": factories.make_judge().pk})
    assert "costs no money" in nothing.content.decode()
    assert client.post(reverse("run_new"), {"action": "plan"}).status_code == 422
    assert not JudgeRun.objects.exists()
