"""Judging by the Batch API: a file, a batch, answers in any order; nothing sent twice, nothing beyond the budget."""

import io
import json
from decimal import Decimal

import pytest

from jobs import lifecycle
from jobs.errors import Cancelled, PermanentError
from jobs.models import Job
from jobs.running import run_here
from judging import work
from judging.backends import batches, read_parameters
from judging.backends.base import BackendUnavailableError
from judging.backends.parameters import BadParametersError
from judging.models import ApiAnswer, ApiBatch, JudgeRun, Verdict
from judging.runs.memory import spent
from judging.runs.planning import plan_run
from judging.runs.prices import prices_of
from judging.runs.starting import continue_run, set_budget, start_run
from tests import factories
from tests.judging.stub_batches import BatchStub, answered, batching, refused
from tests.judging.test_paying import EACH, PRICES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def impatient(monkeypatch, settings):
    monkeypatch.setattr(batches, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(batches, "MOMENT_SECONDS", 0.01)
    settings.JOB_PROGRESS_SECONDS = 0.0


def judge_at(server: BatchStub, **parameters: object):
    given = {"base_url": server.url, "retries": 0, "timeout": 5.0, "batch": True, **PRICES, **parameters}
    template = "pandalm@1" if given.get("endpoint") else "json@1"
    return factories.make_judge(backend="openai", model="stub-1", template=template, parameters=given)


def started(server: BatchStub, *, pairs: int = 6, budget: Decimal | None = None, **parameters: object) -> JudgeRun:
    judge = judge_at(server, **parameters)
    return start_run(judge=judge, dataset=factories.make_dataset(pairs=pairs), budget=budget, send=False)


def done(run: JudgeRun) -> JudgeRun:
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def broken_off(run: JudgeRun, error: type[Exception], match: str = "") -> JudgeRun:
    with pytest.raises(error, match=match or None):
        run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def statuses(run: JudgeRun) -> list[str]:
    return list(Verdict.objects.filter(run=run).order_by("pair").values_list("status", flat=True))


def test_a_batch_is_sent_followed_and_read_whatever_the_order_of_its_answers():
    def reply(asked: dict) -> dict:
        first = asked["body"]["messages"][-1]["content"]
        return answered(asked, json.dumps({"choice": str(1 + len(first) % 2)}))

    with batching(reply) as server:
        server.pace = 2
        run = done(started(server))
        assert [call for call in server.calls if call.startswith("POST")] == ["POST /files", "POST /batches"]
        (sent,) = [json.loads(line) for line in server.files["file-in-0"].splitlines()[:1]]
        assert (sent["method"], sent["url"]) == ("POST", "/v1/chat/completions")
        assert sent["body"]["model"] == "stub-1"
        assert len(set(server.asked)) == 6
    assert statuses(run) == ["ok"] * 6
    assert spent(run) == 6 * EACH
    kept = {answer.key: json.loads(answer.said["text"])["choice"] for answer in ApiAnswer.objects.all()}
    assert set(kept) == set(server.asked)
    assert ApiBatch.objects.get().outcome == "completed"
    assert run.frozen["identity"]["answers_as"] == "stub"


def test_large_runs_go_out_as_several_batches_and_bare_prompts_by_the_other_endpoint():
    with batching() as server:
        judge = judge_at(server, batch_questions=4, endpoint="completions")
        run = done(start_run(judge=judge, dataset=factories.make_dataset(pairs=10), send=False))
        assert [len(data.splitlines()) for name, data in server.files.items() if "in" in name] == [4, 4, 2]
        assert {batch["endpoint"] for batch in server.batches.values()} == {"/v1/completions"}
    assert Verdict.objects.filter(run=run).count() == 10


def test_what_the_server_refuses_is_the_pairs_own_and_what_it_had_no_time_for_is_asked_again():
    tries: dict[str, int] = {}

    def reply(asked: dict) -> dict:
        number = tries[asked["custom_id"]] = tries.get(asked["custom_id"], 0) + 1
        which = list(tries).index(asked["custom_id"])
        first = {
            0: refused(400, "context_length_exceeded"),
            1: refused(400, "content_filter"),
            2: refused(400, "", "nonsense"),
            3: refused(429),
            4: {"response": {"status_code": 200, "body": {"choices": []}}},
        }
        return first.get(which, answered(asked)) if number == 1 else answered(asked)

    with batching(reply) as server:
        run = done(started(server, pairs=7))
        assert sorted(statuses(run)) == ["failed", "invalid", "ok", "ok", "ok", "refused", "too_long"]
        assert len(server.asked) == 8, "only the one that came at a busy moment went out again"


def test_a_batch_that_expires_keeps_what_it_answered_and_the_rest_goes_out_again():
    with batching() as server:
        server.pace, server.ends = 2, {"expired": 2}
        run = done(started(server, pairs=7))
        assert [len(data.splitlines()) for name, data in server.files.items() if "in" in name] == [7, 3]
    assert statuses(run) == ["ok"] * 7
    assert list(ApiBatch.objects.order_by("pk").values_list("outcome", flat=True)) == ["expired", "completed"]
    assert spent(run) == 7 * EACH


def test_a_batch_that_answers_nothing_ends_the_attempt():
    with batching() as server:
        server.pace, server.ends = 0, {"expired": 1}
        broken_off(started(server), BackendUnavailableError, "answered none of a batch's 6")
        server.ends = {"failed": 1}
        run = broken_off(started(server), PermanentError, "line 3: the model is unknown")
        assert not Verdict.objects.filter(run=run).exists()


@pytest.mark.parametrize("moment", ["followed", "begun", "uploaded"])
def test_who_goes_on_finds_what_was_sent_and_sends_nothing_twice(monkeypatch, moment):
    """As a kill would leave it, after the upload, after the batch was asked for, and while it was followed."""
    with batching() as server:
        server.pace = 0
        run = started(server)
        where = {"followed": "_moments", "begun": "_moments", "uploaded": "_begun"}[moment]
        with monkeypatch.context() as patch:
            patch.setattr(batches.BatchServer, where, killed)
            broken_off(run, KeyError)
        if moment == "begun":
            ApiBatch.objects.update(batch="")
        server.pace = 3
        run = done(continue_run(run=run, send=False))
        uploads = [call for call in server.calls if call in {"POST /files", "POST /batches"}]
        assert uploads == ["POST /files", "POST /batches"]
    assert statuses(run) == ["ok"] * 6
    assert spent(run) == 6 * EACH


def killed(*_: object, **__: object):
    raise KeyError("killed")


def test_pausing_calls_the_batch_back_and_what_it_had_answered_is_read_on_going_on(monkeypatch):
    with batching() as server:
        server.pace = 1
        run = started(server, pairs=5)
        monkeypatch.setattr(batches.BatchServer, "_moments", Pauser(run.job).moments)
        run = broken_off(run, Cancelled)
        assert "POST /batches/batch-0/cancel" in server.calls
        assert ApiBatch.objects.get().outcome == ""
        monkeypatch.undo()
        monkeypatch.setattr(batches, "POLL_SECONDS", 0.02)
        read_before = len(server.batches["batch-0"]["out"])
        assert 0 < read_before < 5
        server.pace = 5
        run = done(continue_run(run=run, send=False))
        assert len(server.asked) == 5 + 5 - read_before
    assert statuses(run) == ["ok"] * 5
    assert spent(run) == 5 * EACH
    assert list(ApiBatch.objects.order_by("pk").values_list("outcome", flat=True)) == ["cancelled", "completed"]


class Pauser:
    """Somebody pauses the run at the third look."""

    def __init__(self, job: Job):
        self.job, self.looks = job, 0

    def moments(self, seconds: float):
        self.looks += 1
        if self.looks == 3:
            lifecycle.cancel(job=self.job)
        for _ in range(3):
            yield None


def test_nothing_is_sent_that_the_budget_might_not_pay_for():
    with batching() as server:
        # A most of 1,024 answer tokens at a hundred dollars a million is ten cents; they turn out to be one.
        run = started(server, pairs=50, budget=Decimal("0.50"))
        broken_off(run, PermanentError, "budget is spent")
        sizes = [len(data.splitlines()) for name, data in server.files.items() if "in" in name]
        assert 1 <= sizes[0] <= 4
        assert sum(sizes) == Verdict.objects.filter(run=run).count() == Decimal("0.50") // EACH
        assert spent(run) <= Decimal("0.50")


def test_a_budget_that_is_raised_sends_the_rest():
    with batching() as server:
        run = started(server, pairs=8, budget=Decimal("0.01"), max_tokens=10)
        broken_off(run, PermanentError, "budget is spent")
        assert not server.files
        set_budget(run=run, budget=None)
        run.refresh_from_db()
        run = done(continue_run(run=run, send=False))
        assert len(server.asked) == 8
    assert statuses(run) == ["ok"] * 8


def test_a_server_without_a_batch_api_and_one_that_is_away_say_what_to_do():
    with batching() as server:
        server.broken = 404
        broken_off(started(server), PermanentError, "without 'batch'")
        server.broken = 401
        broken_off(started(server), PermanentError, "No key was sent")
        server.broken = 503
        run = broken_off(started(server), BackendUnavailableError, "HTTP 503")
        server.broken = 0
        assert statuses(done(continue_run(run=run, send=False))) == ["ok"] * 6


def test_how_far_the_server_is_stands_as_the_jobs_phase(monkeypatch):
    said = set()
    report = work.Running.progress

    def heard(running, done, total=None, phase=""):
        said.add(phase)
        report(running, done, total, phase)

    monkeypatch.setattr(work.Running, "progress", heard)
    with batching() as server:
        server.pace = 2
        done(started(server))
    assert "Batch of 6, in progress: 2 answered" in said
    assert "Batch of 6, in progress: 4 answered" in said


def test_a_batch_needs_the_cache_and_costs_half_the_list_price():
    with pytest.raises(BadParametersError, match="'batch' needs 'cache'"):
        read_parameters("openai", {"batch": True, "cache": False})
    assert prices_of(read_parameters("openai", {"batch": True}), "gpt-4o-mini") == (0.075, 0.30)
    assert prices_of(read_parameters("openai", {}), "gpt-4o-mini") == (0.15, 0.60)
    own = {"batch": True, "price_in": 1.0, "price_out": 2.0}
    assert prices_of(read_parameters("openai", own), "gpt-4o-mini") == (1.0, 2.0)
    judges = [
        factories.make_judge(backend="openai", model="gpt-4o-mini", parameters={"batch": batch})
        for batch in (False, True)
    ]
    dataset = factories.make_dataset(pairs=2)
    plain, batched = (plan_run(judge=judge, dataset=dataset, order="both", reasons="none").cost for judge in judges)
    assert batched == pytest.approx(plain / 2, abs=Decimal("0.000002"))
