"""A candidate's answers, written by several workers: shared out by the database, and taken over from a lost one."""

import io
import json
import shutil

import pytest
from django.urls import reverse

from annotation.models import Dataset, Response, Role
from jobs import lifecycle, processes
from jobs.models import Attempt, Job
from jobs.running import run_here
from tests import factories
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, children_of, kill_session, until, until_state
from tests.training.conftest import made_pairs, make
from training import generating
from training.models import AnswerChunk, Checkpoint
from training.promotion import HELP_GENERATE, ask_for_answers
from training.recipes import CandidateRecipe
from training.runs import TrainingError, start_training, weights_folder


@pytest.fixture
def checkpoint(base_model) -> Checkpoint:
    """Of a run that has not learnt: its base, as it is."""
    learnt = factories.make_dataset(slug="instructions", purpose=Dataset.Purpose.TRAIN)
    made_pairs(learnt, 8, seed=3)
    snapshot = make(CandidateRecipe(dataset="instructions", generator="one", held_out=0))
    run = start_training(name="many", snapshot=snapshot, base_model=str(base_model), hyperparameters={}, send=False)
    found = Checkpoint.objects.create(run=run, step=1, epoch=1, size=1)
    shutil.copytree(base_model, weights_folder(run, 1))
    # Room for some sixty tokens of an answer: a model that has not learnt to end writes as long as there is room.
    config = weights_folder(run, 1) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 190}))
    return found


def questions(count: int) -> Dataset:
    dataset = factories.make_dataset(slug="to-answer")
    made_pairs(dataset, count, seed=4)
    return dataset


def answered(checkpoint: Checkpoint) -> list[int]:
    checkpoint.refresh_from_db()
    found = Response.objects.filter(generator=checkpoint.generator)
    return sorted(found.values_list("prompt", flat=True))


def helpers() -> list[Job]:
    return list(Job.objects.filter(kind=HELP_GENERATE).order_by("pk"))


class Quick:
    """In the place of the model: an answer to each text, three at a time."""

    def __init__(self, folder: str):
        pass

    def answers(self, texts):
        for start in range(0, len(texts), 3):
            yield [(index, "An answer.") for index in range(start, min(start + 3, len(texts)))]


@pytest.mark.django_db
def test_a_helper_does_its_share_and_leaves_the_end_to_the_answers_own_job(checkpoint, monkeypatch):
    monkeypatch.setattr(generating, "Writer", Quick)
    dataset = questions(40)
    job = ask_for_answers(checkpoint=checkpoint, dataset=dataset, workers=3, send=False)
    first, late = helpers()
    assert (first.title, first.queue) == ("many, epoch 1 answers to-answer, worker 2", Job.Queue.GPU)
    run_here(job=first, out=io.StringIO())
    assert answered(checkpoint) == sorted(dataset.pairs.values_list("prompt", flat=True))
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    run_here(job=job, out=io.StringIO())
    job.refresh_from_db()
    late.refresh_from_db()
    assert (job.state, job.done, job.total) == (Job.State.SUCCEEDED, 40, 40)
    assert (late.state, late.started_at) == (Job.State.CANCELLED, None)


@pytest.mark.django_db
def test_who_helps_ends_with_the_answers_own_job(checkpoint, monkeypatch):
    monkeypatch.setattr(generating, "Writer", Quick)
    job = ask_for_answers(checkpoint=checkpoint, dataset=questions(4), workers=2, send=False)
    lifecycle.cancel(job=job)
    (helper,) = helpers()
    run_here(job=helper, out=io.StringIO())
    assert answered(checkpoint) == []


@pytest.mark.django_db
def test_they_are_asked_for_again_when_all_who_were_at_it_have_stopped(checkpoint, monkeypatch):
    monkeypatch.setattr(generating, "Writer", Quick)
    dataset = questions(4)
    job = ask_for_answers(checkpoint=checkpoint, dataset=dataset, workers=2, send=False)
    (helper,) = helpers()
    busy = lifecycle.claim(attempt_id=helper.attempts.get().pk, holder=processes.this_process())
    lifecycle.cancel(job=job)
    with pytest.raises(TrainingError, match="still saving"):
        ask_for_answers(checkpoint=checkpoint, dataset=dataset)
    lifecycle.end_cancelled(attempt=busy)
    again = ask_for_answers(checkpoint=checkpoint, dataset=dataset, send=False)
    run_here(job=again, out=io.StringIO())
    assert len(answered(checkpoint)) == 4
    with pytest.raises(TrainingError, match="1 to 64"):
        ask_for_answers(checkpoint=checkpoint, dataset=dataset, workers=65)


@pytest.mark.django_db
def test_the_page_asks_for_answers_of_one_dataset_after_another(checkpoint, monkeypatch, client):
    monkeypatch.setattr(generating, "Writer", Quick)
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    questions(4)
    other = factories.make_dataset(slug="more")
    made_pairs(other, 2, seed=5)
    page = checkpoint.run.get_absolute_url()
    send = reverse("checkpoint_answers", args=[checkpoint.pk])
    for said, told in [
        ({"dataset": "to-answr", "workers": "1"}, "There is no dataset to-answr"),
        ({"dataset": "to-answer", "workers": "many"}, "1 to 64"),
    ]:
        assert told in client.post(send, said, follow=True).content.decode()
    assert not Job.objects.filter(kind="training.generating.generate").exists()
    client.post(send, {"dataset": "to-answer", "workers": "2"})
    assert "Answer its prompts" not in client.get(page).content.decode()
    (helper,) = helpers()
    shown = client.get(page).content.decode()
    assert f'<a href="{helper.get_absolute_url()}">worker 2</a>' in shown
    assert "Compare generators" not in shown
    checkpoint.refresh_from_db()
    run_here(job=checkpoint.generating, out=io.StringIO())
    shown = client.get(page).content.decode()
    assert f"{reverse('tournament_new')}?answered=to-answer" in shown
    assert f'<a href="{reverse("dataset", args=["to-answer"])}">' in shown
    client.post(send, {"dataset": "more", "workers": "1"})
    assert "worker 2</a>" not in client.get(page).content.decode()
    checkpoint.refresh_from_db()
    run_here(job=checkpoint.generating, out=io.StringIO())
    assert len(answered(checkpoint)) == 6


@pytest.mark.slow
def test_what_a_killed_worker_had_is_answered_by_the_other(
    installation: Installation,  # noqa: F811
    checkpoint,
    settings,
    monkeypatch,
):
    monkeypatch.setitem(installation.environment, "TRAINING_ROOT", str(settings.TRAINING_ROOT))
    workers = [installation.worker(queue="gpu", concurrency=1) for _ in range(2)]
    dataset = questions(120)
    job = ask_for_answers(checkpoint=checkpoint, dataset=dataset, workers=2)
    until(lambda: AnswerChunk.objects.values("attempt").distinct().count() == 2, "both have prompts", seconds=90)
    (victim,) = helpers()
    parent = victim.attempts.get(state="running").supervisor_pid
    kill_session(next(each for each in workers if parent in children_of(each.pid)))
    job = until_state(job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=240)
    assert (job.state, job.error, job.attempts.count()) == (Job.State.SUCCEEDED, "", 1)
    assert answered(checkpoint) == sorted(dataset.pairs.values_list("prompt", flat=True))
    assert victim.attempts.filter(state=Attempt.State.LOST).count() == 1
    assert not AnswerChunk.objects.filter(done=False).exists()
