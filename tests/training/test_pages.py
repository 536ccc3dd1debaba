"""The pages of training: launching, refusing by field, looking, comparing, repeating, promoting."""

import pytest
from django.urls import reverse

from annotation.models import Role, User
from jobs import lifecycle, processes
from jobs.models import Job
from judging.models import Judge, JudgeRun
from tests import factories
from tests.training.made import make_training_run
from training.models import Snapshot, StepMetric, TrainingRun
from training.promotion import HELP_GENERATE
from training.runs import WORK
from training.script.config import Hyperparameters

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    user = factories.make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


def filled(snapshot, **more) -> dict:
    """What the browser sends of the form as it stands, with a name and a model."""
    hyper = Hyperparameters()
    told = {name: value for name, value in hyper.model_dump().items() if value is not None and value is not False}
    lora = {"lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.05}
    return {"name": "seven", "snapshot": snapshot.pk, "base_model": "owner/model", "devices": 1, **told, **lora} | more


def test_a_judge_snapshot_is_asked_for_in_the_browser(client, researcher, labels):
    url = reverse("snapshot_new")
    assert "Labels of" in client.get(url).content.decode()
    sent = {
        "name": "mine",
        "run": labels.pk,
        "swap": "on",
        "references": "1",
        "held_out": "0.05",
        "leaks": "refuse",
        "seed": 0,
    }
    response = client.post(url, sent | {"references": "2"})
    assert response.status_code == 422
    assert "less than or equal to 1" in response.content.decode()
    response = client.post(url, sent)
    made = Snapshot.objects.get()
    assert response.url == made.get_absolute_url()
    assert made.recipe["swap"]
    assert not made.recipe["corrections"]
    assert made.job.state == Job.State.QUEUED
    assert client.post(url, sent).status_code == 422


def test_the_form_tells_what_a_run_would_take_and_starts_it(client, researcher, snapshot, base_model, test_set):
    url = reverse("training_new")
    page = client.get(f"{url}?snapshot={snapshot.pk}").content.decode()
    assert 'value="2e-05"' in page
    sent = filled(snapshot, base_model=str(base_model), test_sets=[test_set.pk])
    page = client.post(url, sent | {"action": "estimate"}).content.decode()
    assert "Memory of each device" in page
    assert "deepspeed.launcher.launch" in page
    assert not TrainingRun.objects.exists()
    response = client.post(url, sent | {"action": "start", "lora": "on", "tags": "a, b"})
    run = TrainingRun.objects.get()
    assert response.url == run.get_absolute_url()
    assert run.hyperparameters["lora"] == {"rank": 8, "alpha": 16, "dropout": 0.05}
    assert run.hyperparameters["learning_rate"] == 2e-5
    assert (run.tags, run.job.queue, run.dry) == (["a", "b"], Job.Queue.GPU, False)
    assert list(run.test_sets.all()) == [test_set]
    client.post(url, sent | {"action": "dry"})
    assert TrainingRun.objects.first().dry
    clone = client.get(f"{url}?clone={run.pk}").content.decode()
    assert "seven, changed" in clone
    assert 'name="lora" id="id_lora" aria-describedby="id_lora_helptext" checked' in clone or "checked" in clone


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"learning_rate": "3"}, "less than or equal to 1"),
        ({"epochs": "0"}, "greater than or equal to 1"),
        ({"piece_tokens": "512"}, "“Piece tokens” (512) must hold the longest sample: at least “Max length” (1024)"),
        ({"base_model": ""}, "required"),
        ({"devices": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_hyperparameter_is_named_at_its_field(client, researcher, snapshot, wrong, words):
    response = client.post(reverse("training_new"), filled(snapshot, action="start", **wrong))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not TrainingRun.objects.exists()


def test_all_that_is_wrong_is_told_at_once(client, researcher, snapshot, test_set):
    wrong = {"name": "", "learning_rate": "3", "epochs": "many", "warmup_ratio": "-1", "piece_tokens": "70"}
    wrong |= {"base_model": "/models/tiny", "revision": "main", "lora": "on", "lora_rank": "0", "lora_alpha": "x"}
    response = client.post(reverse("training_new"), filled(snapshot, action="start", **wrong))
    assert response.status_code == 422
    told = response.context["form"].errors
    # Whether the pieces hold a sample is told when the numbers themselves can be read.
    names = {"name", "learning_rate", "epochs", "warmup_ratio", "revision", "lora_rank", "lora_alpha"}
    assert set(told) == names
    assert all(len(words) == 1 for words in told.values())
    page = response.content.decode()
    for words in ("This field is required.", "less than or equal to 1", "Enter a whole number.", "has no revision"):
        assert words in page


@pytest.fixture
def run(researcher):
    judge_run = JudgeRun.objects.create(
        judge=factories.make_judge(), dataset=factories.make_dataset(pairs=2), created_by=researcher
    )
    return make_training_run(judge_run=judge_run, by=researcher)


def test_a_run_shows_its_curves_numbers_and_checkpoints(client, run):
    page = client.get(run.get_absolute_url()).content.decode()
    for words in ("8,000", "1.2000", "0.5000", "Make it a judge", "### Reason: So.", "data-figure"):
        assert words in page
    live = client.get(reverse("training_live", args=[run.pk]), headers={"HX-Request": "true"})
    assert live.content.decode().count("data-figure") == 3
    assert client.get(reverse("training_live", args=[run.pk])).url == run.get_absolute_url()


def test_runs_are_laid_over_each_other_with_what_was_changed(client, run):
    other = TrainingRun.objects.create(
        name="other",
        purpose="judge",
        snapshot=run.snapshot,
        base_model="x",
        hyperparameters=run.hyperparameters | {"epochs": 5},
    )
    page = client.get(reverse("training_compare"), {"run": [run.pk, other.pk, "nonsense"]}).content.decode()
    assert '<th scope="row">epochs</th>' in page
    assert "learning_rate</th>" not in page


def test_a_checkpoint_becomes_a_judge_in_one_click(client, run, monkeypatch, tmp_path, base_model):
    monkeypatch.setattr("training.promotion.weights_folder", lambda run, step: base_model)
    checkpoint = run.checkpoints.get()
    response = client.post(reverse("checkpoint_promote", args=[checkpoint.pk]))
    judge = Judge.objects.get(name="tiny judge, epoch 1")
    assert response.url == judge.get_absolute_url()
    assert judge.model == str(base_model)
    (judged,) = judge.runs.all()
    assert (judged.order, judged.dataset) == ("both", run.test_sets.get())
    client.post(reverse("checkpoint_promote", args=[checkpoint.pk]))
    assert judge.runs.count() == 1
    assert "tiny judge, epoch 1" in client.get(run.get_absolute_url()).content.decode()
    refused = client.post(
        reverse("checkpoint_answers", args=[checkpoint.pk]),
        {"dataset": judged.dataset.slug, "workers": "1"},
        follow=True,
    )
    assert "A judge writes verdicts" in refused.content.decode()


def test_notes_and_tags_are_kept_and_found(client, run):
    client.post(reverse("training_notes", args=[run.pk]), {"notes": "Too warm.", "tags": "warm, seven"})
    run.refresh_from_db()
    assert (run.notes, run.tags) == ("Too warm.", ["warm", "seven"])
    assert run.name in client.get(reverse("training"), {"tag": "warm"}).content.decode()
    assert run.name not in client.get(reverse("training"), {"tag": "cold"}).content.decode().partition("Runs tagged")[2]


def test_a_repeated_run_says_by_how_much_it_differs(client, run):
    response = client.post(reverse("training_repeat", args=[run.pk]))
    again = TrainingRun.objects.get(repeats=run)
    assert response.url == again.get_absolute_url()
    page = client.get(again.get_absolute_url()).content.decode()
    assert "It repeats" in page
    assert "not compared yet" in page
    assert "differ by" not in page
    step = StepMetric.objects.filter(run=run).first()
    step.pk, step.run, step.loss = None, again, step.loss + 0.25
    step.save()
    assert "losses that differ by up to 0.250000 in 1 step." in client.get(again.get_absolute_url()).content.decode()


def test_a_measurement_is_not_repeated(client, run):
    TrainingRun.objects.filter(pk=run.pk).update(dry=True)
    url = reverse("training_repeat", args=[run.pk])
    assert url not in client.get(run.get_absolute_url()).content.decode()
    assert "clone it instead" in client.post(url, follow=True).content.decode()
    assert TrainingRun.objects.count() == 1


def test_a_failed_run_says_what_trying_again_goes_on_from(client, run):
    Job.objects.filter(pk=run.job_id).update(state=Job.State.FAILED)
    url = run.get_absolute_url()
    assert "Its checkpoints are kept." in client.get(url).content.decode()
    run.checkpoints.all().delete()
    page = client.get(url).content.decode()
    assert "checkpoints are kept" not in page
    assert "It has no checkpoint yet." in page
    run.steps.all().delete()
    assert "It has saved nothing. “Try again” begins anew." in client.get(url).content.decode()


def test_without_test_sets_nothing_is_said_to_be_asked_about_them(client, run, monkeypatch, base_model):
    monkeypatch.setattr("training.promotion.weights_folder", lambda run, step: base_model)
    assert "Test set</th>" in client.get(run.get_absolute_url()).content.decode()
    run.checkpoints.get().examinations.all().delete()
    run.test_sets.clear()
    page = client.get(run.get_absolute_url()).content.decode()
    assert "Held-out loss</th>" in page
    assert "Test set</th>" not in page
    promoted = client.post(reverse("checkpoint_promote", args=[run.checkpoints.get().pk]), follow=True)
    page = promoted.content.decode()
    assert "is asked about nothing yet" in page


def test_the_admins_add_leads_to_the_form(client, run):
    assert client.get(reverse("admin:training_trainingrun_add")).url == reverse("training_new")
    assert client.get(reverse("admin:training_snapshot_add")).url == reverse("snapshot_new")
    assert run.name in client.get(reverse("admin:training_trainingrun_change", args=[run.pk])).content.decode()


def test_a_run_that_waits_for_its_next_attempt_says_why_and_no_phase(client, run):
    job = lifecycle.enqueue(kind=WORK, title="Train it", subject_id=run.pk)
    TrainingRun.objects.filter(pk=run.pk).update(job=job)
    attempt = lifecycle.claim(attempt_id=job.attempts.get().pk, holder=processes.this_process())
    Job.objects.filter(pk=job.pk).update(phase="Saving")
    assert "Saving" in client.get(run.get_absolute_url()).content.decode()
    error = "Traceback:\n  somewhere\ntraining.work.TrainingFailedError: Its processes were ended by SIGKILL."
    lifecycle.fail(attempt=attempt, summary="x", error=error)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "Attempt 2 begins in" in page
    assert "did not end well. TrainingFailedError: Its processes were ended by SIGKILL. <a href" in page
    assert f'<a href="{job.get_absolute_url()}">All attempts</a>' in page
    assert "Saving" not in page


@pytest.mark.parametrize(
    "kind",
    [WORK, "training.snapshots.build", "training.generating.generate", HELP_GENERATE, "judging.work.judge_pairs"],
)
def test_the_page_of_a_job_leads_to_what_it_is_about(client, run, kind):
    about = {
        WORK: run,
        "training.snapshots.build": run.snapshot,
        "judging.work.judge_pairs": JudgeRun.objects.get(),
    }.get(kind, run.checkpoints.get())
    job = lifecycle.enqueue(kind=kind, title="Work", subject_id=about.pk, created_by=run.created_by)
    assert f'About <a href="{about.get_absolute_url()}">' in client.get(job.get_absolute_url()).content.decode()
    gone = lifecycle.enqueue(kind=kind, title="Work", subject_id=0, created_by=run.created_by)
    assert "About <a" not in client.get(gone.get_absolute_url()).content.decode()
    User.objects.update(role=Role.ANNOTATOR)
    assert "About <a" not in client.get(job.get_absolute_url()).content.decode()


def test_notes_with_a_tag_that_is_too_long_are_not_lost(client, run):
    response = client.post(reverse("training_notes", args=[run.pk]), {"notes": "Much typed.", "tags": "x" * 41})
    assert response.status_code == 422
    page = response.content.decode()
    assert "Much typed.</textarea>" in page
    assert f'value="{"x" * 41}"' in page
    assert "is longer than 40 letters" in page
    run.refresh_from_db()
    assert (run.notes, run.tags) == ("", ["first"])
    # A page that came of a POST cannot be gone back to.
    Job.objects.filter(pk=run.job_id).update(state=Job.State.FAILED)
    page = client.post(reverse("training_notes", args=[run.pk]), {"tags": "x" * 41}).content.decode()
    assert f'name="next" value="{run.get_absolute_url()}"' in page


def test_a_checkpoints_card_is_read_in_the_browser(client, run):
    checkpoint = run.checkpoints.get()
    url = reverse("checkpoint_card", args=[checkpoint.pk])
    assert url in client.get(run.get_absolute_url()).content.decode()
    page = client.get(url).content.decode()
    assert "library_name: transformers" in page
    assert run.snapshot.sha256 in page
    assert client.get(reverse("checkpoint_card", args=[0])).status_code == 404
