"""Runs of judges: frozen settings, both orders, resuming, carrying on, and what stays whatever ends them."""

import io
import json

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Choice
from jobs import lifecycle
from jobs.errors import Cancelled, PermanentError
from jobs.models import Job
from jobs.running import run_here
from judging import work
from judging.backends.base import Answer, BackendUnavailableError
from judging.judges import create_judge
from judging.models import Judge, JudgeRun, Verdict
from judging.runs.figures import figures_of
from judging.runs.questions import open_questions, pairs_beyond, storable, verdict_of
from judging.runs.starting import RunError, continue_run, is_whole, majority_label, retry_failed, start_run
from tests.factories import make_dataset, make_judge, make_label, make_pair, make_prompt, make_user

pytestmark = pytest.mark.django_db


def started(judge: Judge, dataset, **options: object) -> JudgeRun:
    return start_run(judge=judge, dataset=dataset, send=False, **options)


def done(run: JudgeRun) -> JudgeRun:
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def broken_off(run: JudgeRun, error: type[Exception] = BackendUnavailableError) -> JudgeRun:
    with pytest.raises(error):
        run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def said(run: JudgeRun) -> dict[tuple[int, bool], int | None]:
    rows = Verdict.objects.filter(run=run).values_list("pair_id", "swapped", "choice")
    return {(pair, swapped): choice for pair, swapped, choice in rows}


def test_a_run_judges_every_pair_once_in_each_order():
    dataset, other = make_dataset(pairs=7), make_dataset(pairs=2)
    run = done(started(make_judge(), dataset, order="both"))
    pairs = set(dataset.pairs.values_list("pk", flat=True))
    assert set(said(run)) == {(pair, swapped) for pair in pairs for swapped in (False, True)}
    assert is_whole(run)
    assert run.job.state == Job.State.SUCCEEDED
    assert (run.job.done, run.job.total) == (14, 14)
    assert not Verdict.objects.filter(pair__dataset=other).exists()


def test_verdicts_are_in_the_pairs_own_terms_whatever_was_shown_first():
    """The fake judge decides by the texts, so both orders must come to the same, in the pair's terms."""
    run = done(started(make_judge(), make_dataset(pairs=20), order="both"))
    given = Verdict.objects.filter(run=run, swapped=False)
    for one in given:
        other = Verdict.objects.get(run=run, pair=one.pair, swapped=True)
        assert one.choice == other.choice
        assert (one.p_1, one.p_2, one.p_tie) == pytest.approx((other.p_1, other.p_2, other.p_tie))
        shares = {Choice.FIRST: one.p_1, Choice.SECOND: one.p_2, Choice.TIE: one.p_tie}
        assert shares[one.choice] == max(shares.values())


def test_a_judge_that_always_takes_what_is_shown_first_chooses_2_where_the_order_was_swapped():
    judge = make_judge(parameters={"position_bias": 1.0, "tie_margin": 0.0})
    run = done(started(judge, make_dataset(pairs=5), order="both"))
    assert set(Verdict.objects.filter(run=run, swapped=False).values_list("choice", flat=True)) == {1}
    assert set(Verdict.objects.filter(run=run, swapped=True).values_list("choice", flat=True)) == {2}
    assert figures_of(run).first_shown.percent == 100


@pytest.mark.parametrize(("shown", "kept"), [(1, 2), (2, 1), (0, 0)])
def test_an_answer_is_turned_back_in_one_place(shown, kept):
    run = JudgeRun(pk=1)
    answer = Answer(5, True, shown, p_first=0.7, p_second=0.2, p_tie=0.1, reason="response 1 is better")
    verdict = verdict_of(answer, run=run)
    assert (verdict.choice, verdict.p_1, verdict.p_2, verdict.p_tie) == (kept, 0.2, 0.7, 0.1)
    assert verdict.reason == "response 1 is better"
    assert verdict_of(Answer(5, False, shown), run=run).choice == shown


def test_what_is_no_choice_stays_none_with_its_raw_text():
    judge = make_judge(parameters={"invalid_share": 0.5, "refused_share": 0.2})
    run = done(started(judge, make_dataset(pairs=60)))
    for verdict in Verdict.objects.filter(run=run):
        assert (verdict.choice is None) == (verdict.status != "ok")
        assert verdict.status == "ok" or "told to be" in verdict.raw
    found = {share.key: share.n for share in figures_of(run).statuses}
    assert set(found) == {"ok", "invalid", "refused"}
    assert sum(found.values()) == 60


def test_texts_that_postgresql_does_not_take_are_kept_as_near_as_can_be():
    assert storable("a\0b") == "a\ufffdb"
    assert "\ud83d" not in storable("x\ud83dy")
    assert storable("naïve 🙂") == "naïve 🙂"


def test_settings_are_frozen_when_the_run_is_made():
    judge, dataset = make_judge(parameters={"seed": 1}), make_dataset(pairs=10)
    run = started(judge, dataset)
    judge.parameters = {"seed": 2}
    judge.save()
    same = make_judge(parameters={"seed": 1})
    assert said(done(run)) == said(done(started(same, dataset)))
    assert said(run) != said(done(started(judge, dataset)))
    assert run.frozen["parameters"] == {"seed": 1}
    assert run.frozen["fingerprint"] != judge.fingerprint


def test_a_run_that_broke_off_keeps_what_came_and_goes_on_with_the_rest():
    dataset = make_dataset(pairs=20)
    whole = said(done(started(make_judge(), dataset, order="both")))
    run = broken_off(started(make_judge(parameters={"fail_after": 15}), dataset, order="both"))
    assert len(said(run)) == 15
    assert "told to fail" in run.job.error
    before = dict(Verdict.objects.filter(run=run).values_list("pk", "created_at"))
    run = continue_run(run=run, send=False)
    broken_off(run)
    assert len(said(run)) == 30
    done(continue_run(run=run, send=False))
    assert said(run) == whole
    # What was there was neither asked for again nor written again.
    assert before.items() <= dict(Verdict.objects.filter(run=run).values_list("pk", "created_at")).items()


def test_a_retry_asks_only_what_is_missing(monkeypatch):
    dataset = make_dataset(pairs=12)
    run = broken_off(started(make_judge(parameters={"fail_after": 5}), dataset))
    asked = []

    def watched(backend, questions, run, saver):
        asked.extend((question.pair_id, question.swapped) for question in questions)
        ask(backend, questions, run, saver)

    ask = work._ask
    monkeypatch.setattr(work, "_ask", watched)
    there = set(said(run))
    broken_off(continue_run(run=run, send=False))
    assert len(asked) == 7
    assert there.isdisjoint(asked)


def test_pairs_that_came_later_are_judged_by_carrying_on():
    dataset = make_dataset(pairs=3)
    run = done(started(make_judge(), dataset))
    with pytest.raises(RunError, match="nothing left"):
        continue_run(run=run, send=False)
    first_job = run.job
    make_pair(dataset=dataset)
    assert figures_of(run).missing == 1
    run = done(continue_run(run=run, send=False))
    assert len(said(run)) == 4
    assert run.job != first_job


def test_a_failed_job_is_tried_again_and_not_replaced():
    run = broken_off(started(make_judge(parameters={"fail_after": 1}), make_dataset(pairs=3)))
    job = run.job
    assert continue_run(run=run).job == job
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED


def test_a_job_that_another_one_has_taken_over_from_asks_nothing():
    run = started(make_judge(parameters={"fail_after": 2}), make_dataset(pairs=5))
    broken = broken_off(run).job
    taken_over = continue_run(run=run, send=False)
    assert taken_over.job != broken
    assert lifecycle.requeue(job=broken)
    broken.refresh_from_db()
    with pytest.raises(PermanentError, match=f"Job {taken_over.job.pk} has taken over"):
        run_here(job=broken, out=io.StringIO())
    assert Verdict.objects.filter(run=run).count() == 2


def test_failed_verdicts_are_asked_for_again_and_invalid_ones_are_not():
    judge = make_judge(parameters={"failed_share": 0.3, "invalid_share": 0.3})
    run = done(started(judge, make_dataset(pairs=40)))
    invalid = set(Verdict.objects.filter(run=run, status="invalid").values_list("pk", flat=True))
    failed = Verdict.objects.filter(run=run, status="failed").count()
    assert failed
    run.frozen["parameters"] = {}
    run.save()
    run = done(retry_failed(run=run, send=False))
    assert not Verdict.objects.filter(run=run, status="failed").exists()
    assert set(Verdict.objects.filter(run=run, status="invalid").values_list("pk", flat=True)) == invalid
    assert is_whole(run)
    with pytest.raises(RunError, match="No verdict of this run failed"):
        retry_failed(run=run)


def test_two_clicks_start_one_run():
    judge, dataset = make_judge(), make_dataset(pairs=1)
    start_run(judge=judge, dataset=dataset)
    with pytest.raises(RunError, match="under way already"):
        start_run(judge=judge, dataset=dataset)
    start_run(judge=judge, dataset=dataset, order="both")


def test_a_live_run_is_not_carried_on_with():
    run = start_run(judge=make_judge(), dataset=make_dataset(pairs=1))
    with pytest.raises(RunError, match="under way"):
        continue_run(run=run)


def test_what_cannot_be_run_says_why():
    dataset = make_dataset(pairs=1)
    imported = Judge.objects.create(name="from a file", backend=Judge.Backend.IMPORTED)
    with pytest.raises(RunError, match="came from a file"):
        start_run(judge=imported, dataset=dataset)
    with pytest.raises(RunError, match="no pairs yet"):
        start_run(judge=make_judge(), dataset=make_dataset())
    longer = make_judge(backend="baseline", model="longer")
    with pytest.raises(RunError, match="gives no reasons"):
        start_run(judge=longer, dataset=dataset, reasons="all")
    with pytest.raises(RunError, match="no human labels"):
        start_run(judge=make_judge(backend="baseline", model="majority"), dataset=dataset)


def test_the_majority_is_counted_when_the_run_is_made():
    dataset = make_dataset(pairs=3)
    pairs = list(dataset.pairs.all())
    anna, bea = make_user(), make_user()
    for pair, choice in zip([*pairs, pairs[0]], (2, 2, 0, 2), strict=True):
        annotator = bea if pair.labels.exists() else anna
        make_label(pair=pair, annotator=annotator, choice=Choice(choice))
    assert majority_label(dataset) == 2
    run = started(make_judge(backend="baseline", model="majority"), dataset, order="both")
    assert run.frozen["facts"] == {"majority": 2}
    assert set(said(done(run)).values()) == {2}


def test_queues_are_those_of_the_kinds(tiny_judge):
    dataset = make_dataset(pairs=1)
    server = make_judge(backend="openai", model="m", parameters={"base_url": "http://127.0.0.1:1/v1"})
    local = make_judge(backend="transformers", model=str(tiny_judge))
    queues = {
        judge.backend: start_run(judge=judge, dataset=dataset).job.queue for judge in (server, local, make_judge())
    }
    assert queues == {"openai": "api", "transformers": "gpu", "fake": "default"}


def test_a_real_checkpoint_judges_a_dataset_in_both_orders(tiny_judge):
    dataset = make_dataset()
    good, bad = "apple, pear and plum.", "qx zv#w 9@ kk~"
    for n, texts in enumerate([(good, bad), (bad, good), (good, ""), ("", good)]):
        prompt = make_prompt(instruction="Name three fruits.", source=str(n))
        make_pair(dataset=dataset, prompt=prompt, texts=texts)
    run = done(started(make_judge(backend="transformers", model=str(tiny_judge)), dataset, order="both", reasons="all"))
    by_pair = [[v.choice for v in pair.verdicts.order_by("swapped")] for pair in dataset.pairs.order_by("pk")]
    assert by_pair == [[1, 1], [2, 2], [1, 1], [2, 2]]
    assert all(v.reason and v.p_1 is not None for v in Verdict.objects.filter(run=run))
    assert run.frozen["identity"]["checkpoint"]


def test_a_checkpoint_that_was_replaced_meanwhile_is_not_mixed_with_the_first():
    run = started(make_judge(), make_dataset(pairs=1))
    work.keep_identity(run, {"checkpoint": "a"})
    work.keep_identity(run, {"checkpoint": "a"})
    with pytest.raises(PermanentError, match="have changed"):
        work.keep_identity(run, {"checkpoint": "b"})


def test_a_folder_that_is_no_checkpoint_fails_the_run_with_what_is_missing(tmp_path):
    judge = Judge.objects.create(
        name="none", backend="transformers", model=str(tmp_path), template="pandalm@1", parameters={}
    )
    run = broken_off(started(judge, make_dataset(pairs=1)), PermanentError)
    assert run.job.state == Job.State.FAILED
    assert "it lacks config.json" in run.job.error


def test_questions_of_some_pairs_cost_two_queries_and_leave_out_what_is_answered():
    dataset = make_dataset(pairs=30)
    run = started(make_judge(), dataset, order="both")
    pairs = pairs_beyond(run, 0, 10)
    assert pairs == list(dataset.pairs.order_by("pk").values_list("pk", flat=True)[:10])
    Verdict.objects.create(run=run, pair_id=pairs[0], choice=1)
    for swapped in (False, True):
        Verdict.objects.create(run=run, pair_id=pairs[1], choice=1, swapped=swapped)
    with CaptureQueriesContext(connection) as queries:
        questions = open_questions(run, first=pairs[0], last=pairs[-1])
    assert len(queries) == 2
    keys = [(question.pair_id, question.swapped) for question in questions]
    whole = [(pairs[0], True), *((pair, swapped) for pair in pairs[2:] for swapped in (False, True))]
    assert keys == whole


def test_cancelling_keeps_what_was_judged_and_the_rest_can_follow(monkeypatch, settings):
    settings.JOB_PROGRESS_SECONDS = 0.0
    run = started(make_judge(), make_dataset(pairs=30))
    job, take, taken = run.job, work._Saver.add, []

    def add(saver, answer):
        taken.append(answer)
        if len(taken) == 10:
            lifecycle.cancel(job=job)
        take(saver, answer)

    monkeypatch.setattr(work._Saver, "add", add)
    run = broken_off(run, Cancelled)
    assert run.job.state == Job.State.CANCELLED
    assert len(said(run)) == 10
    monkeypatch.undo()
    assert len(said(done(continue_run(run=run, send=False)))) == 30


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"backend": "baseline", "model": "best"}, "model", "longer"),
        ({"backend": "baseline", "model": "longer", "parameters": {"x": 1}}, "parameters", "no parameter"),
        ({"backend": "baseline", "model": "longer", "template": "pandalm@1"}, "template", "has none"),
        ({"backend": "transformers"}, "model", "folder"),
        ({"backend": "transformers", "model": "a/b", "template": "json@1"}, "template", "chat servers"),
        ({"backend": "transformers", "model": "/x", "revision": "main"}, "revision", "no revision"),
        ({"backend": "openai"}, "model", "as the server calls it"),
        ({"backend": "openai", "model": "m", "template": "x@1"}, "template", "pandalm@1"),
        ({"backend": "openai", "model": "m", "parameters": {"endpoint": "completions"}}, "template", "chat"),
        ({"backend": "openai", "model": "m", "parameters": {"api_key": "sk"}}, "parameters", "never stored"),
        ({"backend": "imported"}, "backend", "importing"),
        ({"backend": "magic"}, "backend", "magic"),
        ({"backend": "fake", "parameters": []}, "parameters", "JSON object"),
        ({"backend": "fake", "name": ""}, "name", "blank"),
    ],
)
def test_a_judge_that_could_not_be_run_is_not_made(fields, field, words):
    with pytest.raises(ValidationError) as caught:
        create_judge(**{"name": "j"} | fields)
    assert words in json.dumps(caught.value.message_dict[field])
    assert not Judge.objects.exists()


def test_a_folder_that_is_here_and_no_checkpoint_is_found_out_at_once(tmp_path):
    with pytest.raises(ValidationError, match="lacks"):
        make_judge(backend="transformers", model=str(tmp_path))


def test_the_fingerprint_tells_judges_apart_by_what_changes_an_answer():
    one, other = make_judge(parameters={"seed": 1}), make_judge(parameters={"seed": 2})
    again = make_judge(parameters={"seed": 1})
    assert one.fingerprint == again.fingerprint != other.fingerprint
