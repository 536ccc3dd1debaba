"""Training on a real worker, killed, cancelled and given what it cannot use: nothing is lost or left behind."""

import io
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from django.db import connection, connections

from jobs import lifecycle, messages
from jobs.errors import PermanentError
from jobs.models import Attempt, Job
from jobs.running import run_here
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, gone, kill_session, processes_of, until, until_state
from tests.training.conftest import losses
from training.artifacts import run_folder, snapshot_folder
from training.models import Checkpoint, StepMetric, TrainingRun
from training.runs import start_training
from training.script.journal import STOP, Reader
from training.script.saved import PARTIAL, STATE, newest_state, step_folder, steps_with
from training.snapshots import TRAIN

pytestmark = pytest.mark.slow

LONG = {"epochs": 3, "global_batch": 4, "checkpoint_steps": 3}
# A state that is being written, or was not finished.
PARTS = f"checkpoints/*/{STATE}{PARTIAL}"


@pytest.fixture
def _shared_root(settings, installation):  # noqa: F811
    settings.TRAINING_ROOT = installation.home / "training"


def steps(run: TrainingRun, least: int) -> None:
    until(lambda: StepMetric.objects.filter(run=run, step__gte=least).exists(), f"step {least}", seconds=120)


def ranks(attempt: Attempt) -> list[int]:
    """Process ids of the run's own processes, not of the launcher's and the child's."""
    found = []
    for pid in processes_of(attempt):
        try:
            line = psutil.Process(pid).cmdline()
        except psutil.NoSuchProcess:
            continue
        if "training.script" in line and "deepspeed.launcher.launch" not in line:
            found.append(pid)
    return found


def going_on(run: TrainingRun, number: int, *, begun: int, least: int = 0) -> Attempt:
    """The attempt of this number, when so many have begun to learn, it as the last, and it has come to a step."""

    def found() -> Attempt | None:
        attempt = run.job.attempts.filter(number=number, state=Attempt.State.RUNNING).first()
        times = sum(line["kind"] == "begin" for line in Reader(run_folder(run.pk)).lines())
        return attempt if attempt and times == begun and len(ranks(attempt)) == run.devices else None

    attempt = until(found, f"attempt {number} goes on", seconds=120)
    steps(run, least)
    return attempt


@pytest.mark.usefixtures("_shared_root")
def test_killed_ranks_workers_and_services_change_no_loss(installation: Installation, asked):  # noqa: F811
    undisturbed = start_training(**asked(hyperparameters=LONG, devices=2))
    run_here(job=undisturbed.job, out=io.StringIO())

    with connection.cursor() as cursor:
        # Tests' databases forget the last moment when they are killed; this one is to keep what it said it has.
        cursor.execute("ALTER DATABASE tiebreak SET synchronous_commit = on")
    installation.beat()
    worker = installation.worker(queue="gpu,default")
    run = start_training(**asked(hyperparameters=LONG, devices=2, send=True, name="disturbed"))
    attempt = going_on(run, 1, begun=1, least=4)
    os.kill(ranks(attempt)[-1], signal.SIGKILL)
    until(lambda: gone(attempt), "the other processes went with it", seconds=30)

    attempt = going_on(run, 2, begun=2)
    kill_session(worker)
    until(lambda: gone(attempt), "the run went with its worker", seconds=10)
    installation.worker(queue="gpu,default")

    attempt = going_on(run, 3, begun=3)
    # A message that comes twice, and services that die: the run learns on, and tells of it later.
    messages.send(attempt_id=attempt.pk, queue=Job.Queue.GPU)
    pids = ranks(attempt)
    installation.kill_database()
    connections.close_all()
    told = Reader(run_folder(run.pk))
    list(told.lines())
    until(lambda: any(line["kind"] in {"step", "done"} for line in told.lines()), "lines without a database")
    installation.start_database()
    installation.lose_the_broker()
    installation.start_broker()

    job = until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=300)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    states = list(job.attempts.order_by("number").values_list("state", flat=True))
    assert states == [Attempt.State.FAILED, Attempt.State.LOST, Attempt.State.SUCCEEDED]
    begun = [line["step"] for line in Reader(run_folder(run.pk)).lines() if line["kind"] == "begin"]
    assert len(begun) == 3
    assert begun[0] == 0 < begun[1] <= begun[2]
    assert losses(run) == losses(undisturbed)
    assert list(Checkpoint.objects.filter(run=run).values_list("epoch", "held_out_loss")) == list(
        Checkpoint.objects.filter(run=undisturbed).values_list("epoch", "held_out_loss")
    )
    # One state is kept: the newest.
    assert len(list(steps_with(run_folder(run.pk), STATE))) == 1
    assert gone(attempt)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def frozen_in_a_save(run: TrainingRun, attempt: Attempt) -> int:
    """Stop the process of the run in the middle of writing what it goes on from: its process id."""
    (pid,) = ranks(attempt)

    def caught() -> bool:
        for _ in range(50):
            if list(run_folder(run.pk).glob(PARTS)):
                os.kill(pid, signal.SIGSTOP)
                if list(run_folder(run.pk).glob(PARTS)):
                    return True
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.001)
        return False

    until(caught, "it saves", seconds=60)
    return pid


NOISE = """
import sys
if "training.script" in sys.orig_argv and "deepspeed.launcher.launch" not in sys.orig_argv:
    sys.stderr.write("noise " * 200_000)
"""


@pytest.mark.usefixtures("_shared_root")
def test_a_run_cancelled_or_killed_while_it_saves_goes_on_as_if_nothing_had_been(
    installation: Installation,  # noqa: F811
    asked,
    tmp_path,
    monkeypatch,
):
    """With adapters, whose dropout must fall as it would have fallen, and a megabyte of output that nobody reads."""
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    monkeypatch.setitem(installation.environment, "PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(installation.environment, "JOB_GRACE_SECONDS", "20")
    each = LONG | {"checkpoint_steps": 1, "lora": {"dropout": 0.3}}
    installation.worker(queue="gpu,default")
    run = start_training(**asked(hyperparameters=each, send=True, name="saves"))
    attempt = going_on(run, 1, begun=1, least=2)
    pid = frozen_in_a_save(run, attempt)
    lifecycle.cancel(job=run.job)
    until((run_folder(run.pk) / STOP).exists, "it was told")
    os.kill(pid, signal.SIGCONT)
    until_state(run.job, Job.State.CANCELLED)
    assert gone(attempt)
    assert not list(run_folder(run.pk).glob(PARTS))
    stopped, _, manifest = newest_state(run_folder(run.pk))
    assert stopped >= 2
    assert (installation.home / attempt.log_path).stat().st_size > 1_000_000

    # Each process saved its own part, so another number of them is refused.
    TrainingRun.objects.filter(pk=run.pk).update(devices=2)
    lifecycle.requeue(job=run.job)
    refused = until_state(run.job, Job.State.FAILED)
    assert "was saved by 1 processes" in refused.error
    TrainingRun.objects.filter(pk=run.pk).update(devices=1)

    # Now it hangs, hears nothing, and is killed. Another run waits for its device meanwhile.
    lifecycle.requeue(job=run.job)
    attempt = going_on(run, 3, begun=2)
    frozen_in_a_save(run, attempt)
    saved, state, _ = newest_state(run_folder(run.pk))
    undisturbed = start_training(**asked(hyperparameters=each, send=True, name="waits"))
    until_phase(undisturbed.job, "Waiting for a device: “Train saves” has it")
    lifecycle.cancel(job=run.job)
    until_state(run.job, Job.State.CANCELLED)
    assert gone(attempt)
    assert list(run_folder(run.pk).glob(PARTS))
    assert newest_state(run_folder(run.pk))[0] == saved
    until_state(undisturbed.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=240)
    whole = max(losses(undisturbed))
    assert 0 < stopped <= saved < whole
    epoch = whole // each["epochs"]
    assert manifest["epoch"] in {(stopped - 1) // epoch, stopped // epoch}

    # A later one is there too, and cut.
    later = step_folder(run_folder(run.pk), saved + 1) / STATE
    shutil.copytree(state, later)
    largest = max((file for file in later.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    lifecycle.requeue(job=run.job)
    until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=240)
    assert losses(run) == losses(undisturbed)
    begun = [line["step"] for line in Reader(run_folder(run.pk)).lines() if line["kind"] == "begin"]
    assert begun == [0, stopped, saved]


def until_phase(job: Job, phase: str) -> None:
    until(lambda: Job.objects.get(pk=job.pk).phase == phase, phase, seconds=60)


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_was_changed_is_not_learnt_from(asked, snapshot):
    run = start_training(**asked())
    path = snapshot_folder(snapshot.pk) / TRAIN
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(PermanentError, match="has changed or is gone"):
        run_here(job=run.job, out=io.StringIO())


@pytest.mark.django_db(transaction=True)
def test_a_base_model_that_is_not_there_is_named(asked):
    run = start_training(**asked(base_model="/nowhere/at/all"))
    with pytest.raises(PermanentError, match="does not exist on this worker"):
        run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    assert run.job.state == Job.State.FAILED


@pytest.mark.django_db(transaction=True)
def test_a_loss_that_is_no_number_stops_the_run_with_a_clear_word(asked, base_model, tmp_path):
    from safetensors.numpy import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(base_model, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"].copy()
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    run = start_training(**asked(base_model=str(broken), hyperparameters={"batching": "padded"}))
    with pytest.raises(PermanentError, match=r"The loss of step 1 is nan\. The run stopped"):
        run_here(job=run.job, out=io.StringIO())
    assert not StepMetric.objects.filter(run=run).exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=14m tmpfs {folder} 2>/dev/null"):
        pytest.skip("only root may mount a small file system")
    yield folder
    os.system(f"umount -l {folder}")


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_stops_the_run_and_keeps_the_last_good_checkpoint(settings, asked, snapshot, small_disk: Path):
    shutil.copytree(snapshot_folder(snapshot.pk), small_disk / "snapshots" / str(snapshot.pk))
    settings.TRAINING_ROOT = small_disk
    # The first epoch's weights (3 MB) fit, the state behind them (12 MB) does not.
    run = start_training(**asked())
    with pytest.raises(PermanentError, match="The disk is full"):
        run_here(job=run.job, out=io.StringIO())
    folder = run_folder(run.pk)
    assert newest_state(folder) is None
    assert not list(folder.glob("checkpoints/*/*.partial"))
    assert Checkpoint.objects.filter(run=run).count() == 1
