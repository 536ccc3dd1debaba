"""The work of a training run's job: its processes are started, listened to, and never left behind.

The run's own folder is what it goes on from (training.script.saved); the rows are what people look at. Both may be
behind the other after a kill: rows are written anew from the folder's lines, so nothing is counted twice or lost.
"""

import json
import logging
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from jobs.errors import Cancelled, PermanentError
from jobs.leases import CPU, devices_here, leased, leased_on
from jobs.models import Attempt
from jobs.running import Running
from judging.artifacts import hash_of
from judging.backends.checkpoints import check_folder, folder_of
from training import cards
from training.artifacts import run_folder, snapshot_folder
from training.failures import why
from training.hosts import HostfileError, read_hostfile, spread
from training.launching import Launched, launched, launched_on
from training.models import Checkpoint, TrainingRun
from training.recording import record, steps_done
from training.runs import config_of, weights_folder
from training.samples import exam_rows
from training.script.config import Examination
from training.script.journal import BEAT, FAILURE, METRICS, STOP, Reader
from training.script.saved import WorldSizeError, state_for
from training.sharing import Uploads, fetch_run, fetch_snapshot
from training.snapshots import TRAIN

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
# What a run tells is written this often: a handful of lines costs the database little more than one.
TAKE_SECONDS = 1.0
LOG_BYTES = 16 * 1024


class TrainingFailedError(Exception):
    """Another attempt may do better."""


def train(running: Running) -> None:
    """Train, or go on training, and write down what comes. Cancelled and stopped runs save first."""
    run = TrainingRun.objects.select_related("snapshot", "job").get(pk=running.subject_id)
    if run.job_id != running.job_id:
        raise PermanentError(f"Job {run.job_id} has taken over this run. Carry on with that one.")
    folder = run_folder(run.pk)
    folder.mkdir(parents=True, exist_ok=True)
    running.progress(steps_done(run), None, "Getting ready")
    _prepare(running, run, folder)
    attempt = Attempt.objects.get(job=running.job_id, number=running.number)
    with _launched(running, run, folder, attempt) as process:
        _Follower(running, run, folder, process, log_path=attempt.log_path).follow()


@contextmanager
def _launched(running: Running, run: TrainingRun, folder: Path, attempt: Attempt) -> Iterator[Launched]:
    """On this machine's devices, or with those of the hostfile's others, where this one has too few."""
    here = devices_here()
    if not settings.TRAINING_HOSTFILE or here == [CPU] or run.devices <= len(here):
        with (
            leased(running, wanted=run.devices) as devices,
            launched(folder, devices=devices, wanted=run.devices, attempt_id=attempt.pk) as process,
        ):
            yield process
        return
    try:
        places = spread(read_hostfile(Path(settings.TRAINING_HOSTFILE)), run.devices)
    except HostfileError as error:
        raise PermanentError(str(error)) from error
    with (
        leased_on(running, places={host: list(map(str, devices)) for host, devices in places.items()}),
        launched_on(folder, places=places, attempt_id=attempt.pk) as process,
    ):
        yield process


def _prepare(running: Running, run: TrainingRun, folder: Path) -> None:
    """The first attempt freezes what the run reads; those after it find it there, or in the store."""
    fetch_snapshot(run.snapshot)
    fetch_run(run)
    for name in (STOP, FAILURE):
        (folder / name).unlink(missing_ok=True)
    (folder / BEAT).touch()
    path = snapshot_folder(run.snapshot_id) / TRAIN
    if not path.exists() or hash_of(path) != run.snapshot.sha256:
        raise PermanentError(
            f"The file of the snapshot “{run.snapshot}” has changed or is gone ({path}), so the run would learn "
            "something else than it says. Put the file back, or make a new snapshot and clone the run."
        )
    try:
        # Told before any process is started, which takes them a while to find out.
        state_for(folder, world=run.devices)
    except WorldSizeError as error:
        raise PermanentError(str(error)) from error
    if base := folder_of(run.base_model):
        check_folder(base)
    if (folder / "config.json").exists():
        return
    examinations = []
    for dataset in run.test_sets.order_by("slug"):
        exam = folder / f"examination-{dataset.slug}.jsonl"
        if not exam.exists():
            draft = exam.with_suffix(".draft")
            with draft.open("w", encoding="utf-8") as lines:
                lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in exam_rows(dataset))
            draft.rename(exam)
        examinations.append(Examination(dataset=dataset.slug, path=str(exam)))
    config = config_of(run, examinations=examinations)
    draft = folder / "config.draft"
    draft.write_text(config.model_dump_json(indent=1))
    with running.writing():
        run.code = run.code or code_version()
        run.save(update_fields=["code"])
    draft.rename(folder / "config.json")


def code_version() -> str:
    """The version, and where there is a repository its commit, with a mark if files differ from it."""
    found = version("tiebreak")
    with suppress(OSError, subprocess.CalledProcessError):
        git = ["git", "-C", str(settings.BASE_DIR)]
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        state = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
        found += f"+{commit.stdout.strip()}" + (".dirty" if state.stdout.strip() else "")
    return found[:100]


class Silence:
    """How long nothing was heard of a run. Told by this machine's uptime, since clocks may jump."""

    def __init__(self, beat: Path):
        self.beat = beat
        self.heard, self.since = beat.stat().st_mtime_ns, time.monotonic()

    def seconds(self) -> float:
        if (heard := self.beat.stat().st_mtime_ns) != self.heard:
            self.heard, self.since = heard, time.monotonic()
        return time.monotonic() - self.since


class _Follower:
    """Listens to a run's processes until all of them have ended."""

    def __init__(self, running: Running, run: TrainingRun, folder: Path, process: Launched, *, log_path: str):
        self.running, self.run, self.folder, self.process = running, run, folder, process
        self.log_path = log_path
        self.begun_at = (folder / METRICS).stat().st_size if (folder / METRICS).exists() else 0
        self.reader = Reader(folder)
        self.silence = Silence(folder / BEAT)
        self.uploads = Uploads(run, folder)
        self.ending = ""
        self.cancelled = False
        self.steps: int | None = None
        self.taken_at = time.monotonic()

    def follow(self) -> None:
        before = signal.signal(signal.SIGTERM, lambda *_: self._stop())
        try:
            while self.process.returncode is None:
                self._look()
                time.sleep(LOOK_SECONDS)
            while not self._take_lines():
                time.sleep(TAKE_SECONDS)
            self.uploads.finish(self.running)
        finally:
            signal.signal(signal.SIGTERM, before)
        self._conclude()

    def _look(self) -> None:
        if time.monotonic() - self.taken_at >= TAKE_SECONDS:
            self._take_lines()
            self.taken_at = time.monotonic()
        try:
            self.running.check()
        except Cancelled:
            self.cancelled = True
            self._stop()
        if self.silence.seconds() > settings.TRAINING_SILENCE_SECONDS:
            raise TrainingFailedError(
                f"Nothing was heard of the run for {settings.TRAINING_SILENCE_SECONDS:g} s: it hangs and was ended. It "
                "goes on from its last checkpoint. Where a step or a save takes longer, raise "
                "TRAINING_SILENCE_SECONDS."
            )

    def _stop(self) -> None:
        """The run's processes save and end."""
        (self.folder / STOP).touch()

    def _take_lines(self) -> bool:
        """False if the database is away: the lines stay in their file, and training need not wait for it."""
        # Lines of attempts before this one come first: what a killed worker did not write down.
        offset = self.reader.offset
        lines = list(self.reader.lines())
        if not lines:
            return True
        try:
            with self.running.writing():
                record(self.run, lines)
            if any(line["kind"] in {"checkpoint", "examination", "held_out"} for line in lines):
                self._write_cards()
            self.uploads.collect(self.running)
            self._tell(lines)
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database is away, and what the run tells is written later: %s", str(error).strip())
            connection.close()
            self.reader.offset = offset
            return False
        self.uploads.offer(lines)
        if self.reader.offset > self.begun_at:
            self.ending = str(lines[-1]["kind"])
        return True

    def _tell(self, lines: Sequence[dict]) -> None:
        """How far it is, in steps."""
        last = lines[-1]
        phases = {
            "started": "Loading",
            "tokens": "Loading the model",
            "kernels": "Loading the model",
            "choice": "Loading the model",
            "begin": "Training",
            "step": "Training",
            "checkpoint": "Saving",
            "held_out": "Examining",
            "examination": "Training",
            "dry": "Measuring",
        }
        told = next((line for line in reversed(lines) if "steps" in line), None)
        if told:
            self.steps = int(told["steps"])
        done = steps_done(self.run)
        with suppress(Cancelled):  # Seen to by the next look.
            self.running.progress(done, self.steps, phases.get(str(last["kind"]), "Ending"))

    def _write_cards(self) -> None:
        for checkpoint in Checkpoint.objects.filter(run=self.run).prefetch_related("examinations__dataset"):
            folder = weights_folder(self.run, checkpoint.step)
            if folder.is_dir():
                (folder / "README.md").write_text(cards.card_of(self.run, checkpoint))

    def _conclude(self) -> None:
        code = self.process.returncode
        assert code is not None
        if code == 0 and self.ending in {"done", "dry"}:
            return
        if code == 0 and self.ending == "stopped":
            if self.cancelled:
                raise Cancelled
            raise TrainingFailedError("The run was told to stop; it goes on from where it saved.")
        if self.cancelled:
            raise Cancelled
        told = None
        with suppress(OSError, ValueError):
            told = json.loads((self.folder / FAILURE).read_text())
        if told:
            logger.error("Process %s: %s", told["rank"], told["traceback"])
        failure = why(told=told, log=self._log(), exit_code=code)
        logger.error("Failed, %s: %s", failure.kind, failure.advice)
        raise (PermanentError if failure.permanent else TrainingFailedError)(failure.advice)

    def _log(self) -> str:
        path = settings.TIEBREAK_HOME / self.log_path
        if not self.log_path or not path.is_file():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_BYTES))
            return log.read().decode(errors="replace")
