"""What an API judge pays for: nothing twice, nothing beyond the budget, and all of it in the ledger."""

import io
from decimal import Decimal

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs.errors import PermanentError
from jobs.running import run_here
from judging.models import ApiAnswer, JudgeRun, Verdict
from judging.runs.memory import ledger, left_of_budget, spent
from judging.runs.prices import list_price
from judging.runs.starting import RunError, continue_run, retry_failed, set_budget, start_run
from tests import factories
from tests.judging.stub_server import Stub, error, say, serving

# As the openai package's own tests: the loop's sockets are closed when the backend is.
pytestmark = pytest.mark.django_db
GOOD = '{"choice": "1", "reason": "Better.", "reference": "Ha."}'
# A hundred prompt tokens and seven answer tokens, as the stub counts: a cent and seven hundredths.
PRICES = {"price_in": 100.0, "price_out": 100.0}
EACH = Decimal("0.0107")


def judge_at(server: Stub, *, name: str = "api", **parameters: object):
    given = {"base_url": server.url, "retries": 0, "timeout": 5.0, "concurrency": 1, **PRICES, **parameters}
    return factories.make_judge(name=name, backend="openai", model="stub-1", template="json@1", parameters=given)


def started(judge, dataset, **options: object) -> JudgeRun:
    return start_run(judge=judge, dataset=dataset, send=False, **options)


def done(run: JudgeRun) -> JudgeRun:
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def test_no_run_asks_what_another_was_answered():
    dataset = factories.make_dataset(pairs=5)
    with serving(lambda text, before: say(GOOD)) as server:
        first = done(started(judge_at(server), dataset))
        assert len(server.seen) == 5
        again = done(started(judge_at(server, name="the same by another name"), dataset))
        assert len(server.seen) == 5
        warmer = judge_at(server, name="warmer", temperature=0.7)
        done(started(warmer, dataset))
        assert len(server.seen) == 10
    assert spent(first) == 5 * EACH
    assert spent(again) == 0
    told = [
        list(Verdict.objects.filter(run=run).values_list("pair", "choice", "reason", "cost")) for run in (first, again)
    ]
    assert told[0] == told[1]
    assert told[0][0][3] == EACH


def test_a_judge_may_want_to_be_asked_each_time():
    dataset = factories.make_dataset(pairs=3)
    with serving(lambda text, before: say(GOOD)) as server:
        judge = judge_at(server, cache=False)
        done(started(judge, dataset))
        done(started(judge, dataset))
        assert len(server.seen) == 6
    assert ApiAnswer.objects.filter(key=None).count() == 6
    assert ledger()[0].answers == 6


def test_the_same_question_twice_in_one_run_is_asked_once():
    dataset = factories.make_dataset()
    prompt = factories.make_prompt()
    for number in range(4):
        factories.make_pair(dataset=dataset, prompt=prompt, texts=("a", "b"), generators=(f"m{number}", f"n{number}"))
    with serving(lambda text, before: say(GOOD)) as server:
        run = done(started(judge_at(server, concurrency=4), dataset))
        assert len(server.seen) == 1
    assert Verdict.objects.filter(run=run, choice=1).count() == 4


def test_an_answer_without_a_choice_is_paid_for_and_kept_and_a_failure_is_not():
    dataset = factories.make_dataset(pairs=2)
    bad = dataset.pairs.first().response_1.text

    def replies(text: str, before: int):
        return say("I like both.") if bad in text else error(500) if not before else say(GOOD)

    with serving(replies) as server:
        run = done(started(judge_at(server), dataset))
        assert sorted(Verdict.objects.filter(run=run).values_list("status", flat=True)) == ["failed", "invalid"]
        assert spent(run) == EACH
        done(retry_failed(run=run, send=False))
        assert len(server.seen) == 3
        assert spent(run) == 2 * EACH


def test_a_run_pauses_where_its_budget_is_spent_and_goes_on_when_that_is_raised():
    dataset = factories.make_dataset(pairs=10)
    with serving(lambda text, before: say(GOOD)) as server:
        run = started(judge_at(server), dataset, budget=Decimal("0.05"))
        with pytest.raises(PermanentError, match="budget is spent"):
            done(run)
        assert 4 <= len(server.seen) <= 5
        assert Verdict.objects.filter(run=run).count() == len(server.seen)
        assert left_of_budget(run) <= EACH
        set_budget(run=run, budget=None)
        run.refresh_from_db()
        done(continue_run(run=run, send=False))
        assert len(server.seen) == 10
    assert Verdict.objects.filter(run=run).count() == 10


def test_a_budget_that_was_spent_before_lets_nothing_out():
    dataset = factories.make_dataset(pairs=3)
    with serving(lambda text, before: say(GOOD)) as server:
        run = started(judge_at(server), dataset, budget=Decimal("0.01"))
        with pytest.raises(PermanentError, match="budget is spent"):
            done(run)
        asked = len(server.seen)
        with pytest.raises(PermanentError, match="budget is spent"):
            done(continue_run(run=run, send=False))
        assert len(server.seen) == asked == 1


def test_a_budget_needs_prices_and_a_judge_that_costs_something():
    dataset = factories.make_dataset(pairs=1)
    with serving(lambda text, before: say(GOOD)) as server:
        run = started(judge_at(server, price_in=None, price_out=None), dataset, budget=Decimal(1))
        with pytest.raises(PermanentError, match="price_in and price_out"):
            done(run)
        assert not server.seen
    with pytest.raises(RunError, match="costs no money"):
        started(factories.make_judge(), dataset, budget=Decimal(1))


def test_a_server_that_turns_into_another_model_ends_the_run():
    dataset = factories.make_dataset(pairs=4)
    names = iter(["stub-a", "stub-a", "stub-b", "stub-b"])

    def replies(text: str, before: int):
        whole = say(GOOD)
        return whole | {"model": next(names)}

    with serving(replies) as server:
        run = started(judge_at(server), dataset)
        with pytest.raises(PermanentError, match="now answers as 'stub-b'; this run began with 'stub-a'"):
            done(run)
        run.refresh_from_db()
        assert Verdict.objects.filter(run=run).count() == 2
        with pytest.raises(PermanentError, match="began with 'stub-a'"):
            done(continue_run(run=run, send=False))


def test_list_prices_are_found_by_the_name_without_its_date():
    assert list_price("gpt-4o-mini-2024-07-18") == (0.15, 0.60)
    assert list_price("gpt-4o-2024-08-06") == list_price("gpt-4o") == (2.50, 10.00)
    assert list_price("gpt-3.5-turbo-0125") == (0.50, 1.50)
    assert list_price("gpt-4ohno") == list_price("llama") == (None, None)


@pytest.fixture
def researcher(client):
    user = factories.make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


def test_the_ledger_and_the_runs_page_tell_what_was_paid(client, researcher):
    dataset = factories.make_dataset(pairs=3)
    with serving(lambda text, before: say(GOOD)) as server:
        run = done(started(judge_at(server), dataset, budget=Decimal("2.50")))
    (month,) = ledger()
    assert (month.answers, month.prompt_tokens, month.answer_tokens, month.cost) == (3, 300, 21, 3 * EACH)
    assert "0.03" in client.get(reverse("spending")).content.decode()
    page = client.get(reverse("run", args=[run.pk])).content.decode()
    assert "0.0321" in page
    assert "of 2.50" in page
    client.post(reverse("run_budget", args=[run.pk]), {"budget": "7.00"})
    run.refresh_from_db()
    assert run.budget == Decimal("7.00")
    answer = client.post(reverse("run_budget", args=[run.pk]), {"budget": "-1"}, follow=True)
    assert "greater than or equal to 0.01" in answer.content.decode()
    run.refresh_from_db()
    assert run.budget == Decimal("7.00")


def test_what_a_removed_dataset_cost_stays_in_the_ledger():
    dataset = factories.make_dataset(pairs=2)
    with serving(lambda text, before: say(GOOD)) as server:
        done(started(judge_at(server), dataset))
    JudgeRun.objects.all().delete()
    assert ledger()[0].cost == 2 * EACH
