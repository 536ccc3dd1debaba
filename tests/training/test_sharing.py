"""Two workers, each with a TRAINING_ROOT of its own, and a bucket between them."""

import io
import shutil

import pytest

from jobs.models import Job
from jobs.running import run_here
from judging.models import JudgeRun, Verdict
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, gone, kill_session, until, until_state
from tests.stores import Bucket, bucket  # noqa: F401 - a fixture
from tests.training.conftest import losses
from training.artifacts import run_folder
from training.models import TrainingRun
from training.promotion import promote
from training.recipes import JudgeRecipe
from training.runs import start_training, weights_folder
from training.script.journal import Reader
from training.script.saved import manifest_of
from training.snapshots import make_snapshot

pytestmark = pytest.mark.slow

HYPERPARAMETERS = {
    "learning_rate": 1e-3,
    "global_batch": 2,
    "piece_tokens": 1024,
    "max_length": 512,
    # The first is killed after one epoch, and must not have come to the end by then.
    "epochs": 6,
    "batching": "auto",
}


def test_one_worker_makes_the_snapshot_and_trains_and_another_goes_on_and_judges(
    installation: Installation,  # noqa: F811
    bucket: Bucket,  # noqa: F811
    labels,
    test_set,
    base_model,
    settings,
    tmp_path,
    monkeypatch,
):
    for name, value in bucket.environment.items():
        monkeypatch.setitem(installation.environment, name, value)
    settings.STORAGES = settings.STORAGES | {"artifacts": bucket.storage}
    roots = [tmp_path / name for name in ("first", "second", "third")]

    def worker(root):
        monkeypatch.setitem(installation.environment, "TRAINING_ROOT", str(root))
        settings.TRAINING_ROOT = root
        return installation.worker(queue="gpu,default")

    first = worker(roots[0])
    snapshot = make_snapshot(name="shared", recipe=JudgeRecipe(run=labels.pk, held_out=0.1, swap=False))
    until_state(snapshot.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=240)
    snapshot.refresh_from_db()
    asked = {"snapshot": snapshot, "base_model": str(base_model), "hyperparameters": HYPERPARAMETERS}
    run = start_training(name="shared", test_sets=[test_set], **asked)
    until(lambda: TrainingRun.objects.exclude(stored=None).exists(), "a state in the store", seconds=180)
    attempt = run.job.attempts.get()
    kill_session(first)
    until(lambda: gone(attempt), "the run went with its worker")
    shutil.rmtree(roots[0])
    run.refresh_from_db()
    stopped_at = run.stored["step"]

    worker(roots[1])
    job = until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=400)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    checkpoints = list(run.checkpoints.order_by("epoch"))
    assert [each.epoch for each in checkpoints] == [1, 2, 3, 4, 5, 6]
    assert all(each.stored for each in checkpoints)
    run.refresh_from_db()
    assert run.stored["step"] == max(losses(run)) > stopped_at

    begun = [line["step"] for line in Reader(run_folder(run.pk)).lines() if line["kind"] == "begin"]
    assert begun == [stopped_at]

    # The first epoch's weights were made by the other worker, and are not here before a judge needs them.
    folder = weights_folder(run, checkpoints[0].step)
    assert not folder.exists()
    judge = promote(checkpoint=checkpoints[0], test_sets=[test_set])
    assert judge.model == f"artifact:{folder.relative_to(roots[1])}@{checkpoints[0].stored}"
    (judged,) = JudgeRun.objects.filter(judge=judge)
    until_state(judged.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=240)
    assert Verdict.objects.filter(run=judged, status="ok").count() == 40
    assert manifest_of(folder)["step"] == checkpoints[0].step

    # A third machine that does all of it undisturbed has the same losses.
    settings.TRAINING_ROOT = roots[2]
    undisturbed = start_training(name="undisturbed", send=False, **asked)
    (run_folder(undisturbed.pk)).mkdir(parents=True)
    (run_folder(undisturbed.pk) / "batching").write_text(run.found["choice"]["batching"])
    run_here(job=undisturbed.job, out=io.StringIO())
    assert losses(run) == losses(undisturbed)
