"""What workers with a TRAINING_ROOT of their own have from each other, by the store: snapshots, checkpoints, and what a
run goes on from. Where there is no store nothing here does anything.
"""

import logging
import queue
import shutil
import threading
import time
from pathlib import Path

from jobs.errors import PermanentError
from jobs.running import Running
from judging import artifacts
from training.artifacts import run_folder, snapshot_folder
from training.models import Checkpoint, Snapshot, TrainingRun
from training.script.saved import MANIFEST, STATE, WEIGHTS, manifest_of, newest_state, step_folder

logger = logging.getLogger(__name__)

# What an attempt elsewhere needs besides the state, so that it learns in the same form and is examined on the same.
BEGINNING = "beginning"
WAIT_SECONDS = 0.5
PAUSES = (1, 5, 25, 125)


def fetch_snapshot(snapshot: Snapshot) -> None:
    _fetch(snapshot_folder(snapshot.pk), snapshot.stored)


def fetch_weights(checkpoint: Checkpoint) -> Path:
    folder = step_folder(run_folder(checkpoint.run_id), checkpoint.step) / WEIGHTS
    _fetch(folder, checkpoint.stored)
    return folder


def fetch_run(run: TrainingRun) -> None:
    """The newest state in the store, if a newer one is not here, and what belongs to it."""
    if not artifacts.is_shared() or not run.stored:
        return
    folder, stored = run_folder(run.pk), run.stored
    here = newest_state(folder)
    if here and here[0] >= stored["step"]:
        return
    state = step_folder(folder, stored["step"]) / STATE
    if state.is_dir():
        shutil.rmtree(state)  # It was cut, else it would be the newest.
    _fetch(state, stored["state"])
    _fetch(folder / BEGINNING, stored[BEGINNING])
    for file in (folder / BEGINNING).iterdir():
        draft = folder / f"{file.name}.draft"
        shutil.copy2(file, draft)
        draft.rename(folder / file.name)


def _fetch(folder: Path, sha256: str) -> None:
    if not artifacts.is_shared():
        return
    try:
        artifacts.fetch(folder, sha256=sha256)
    except artifacts.ArtifactError as error:
        raise PermanentError(str(error)) from error


class Uploads:
    """Of a run: its checkpoints go up beside the training, in a thread, and are noted when they are whole in the store.

    A store that is away holds nothing up: it is tried again, and given up when the run is over, by which the attempt
    fails. The next one has nothing left to train and uploads what is missing.
    """

    def __init__(self, run: TrainingRun, folder: Path):
        self.run, self.folder = run, folder
        self.waiting: queue.Queue[tuple[str, int] | None] = queue.Queue()
        self.done: queue.Queue[tuple[str, int, str, str]] = queue.Queue()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._upload, name=f"uploads-{run.pk}", daemon=True)
        if artifacts.is_shared():
            self.thread.start()

    def offer(self, lines: list[dict]) -> None:
        """The checkpoints that these lines tell of."""
        if not artifacts.is_shared():
            return
        told = [(str(line["part"]), int(line["step"])) for line in lines if line["kind"] == "checkpoint"]
        if not told:
            return
        there = {(WEIGHTS, step) for step in self._stored_weights()}
        for part, step in told:
            if (part, step) not in there and (part == WEIGHTS or step > (self.run.stored or {}).get("step", -1)):
                self.waiting.put((part, step))

    def _stored_weights(self) -> list[int]:
        return list(Checkpoint.objects.filter(run=self.run).exclude(stored="").values_list("step", flat=True))

    def collect(self, running: Running) -> None:
        """Note what is in the store by now."""
        while not self.done.empty():
            part, step, sha256, beginning = self.done.get()
            before = self.run.stored
            with running.writing():
                if part == WEIGHTS:
                    Checkpoint.objects.filter(run=self.run, step=step).update(stored=sha256)
                else:
                    self.run.stored = {"step": step, "state": sha256, BEGINNING: beginning}
                    TrainingRun.objects.filter(pk=self.run.pk).update(stored=self.run.stored)
            if part == STATE and before and before["step"] != step:
                self._remove(before["step"])

    def _remove(self, step: int) -> None:
        try:
            artifacts.remove(step_folder(self.folder, step) / STATE)
        except Exception as error:  # noqa: BLE001 - it only takes room
            logger.warning("The state of step %s is left in the store: %s", step, error)

    def finish(self, running: Running) -> None:
        """Wait for the uploads that are under way. Raises what the last try of one raised."""
        if not artifacts.is_shared():
            return
        self.waiting.put(None)
        while self.thread.is_alive():
            self.collect(running)
            self.thread.join(WAIT_SECONDS)
        self.collect(running)
        if self.error:
            raise self.error

    def _upload(self) -> None:
        while not self.error and (each := self.waiting.get()) is not None:
            for pause in (*PAUSES, 0):
                try:
                    self._upload_one(*each)
                except FileNotFoundError:
                    break  # A state that a newer one has replaced.
                except Exception as error:  # noqa: BLE001 - raised again by finish
                    logger.warning("Step %s was not uploaded: %s", each[1], error)
                    self.error = None if pause else error
                    time.sleep(pause)
                else:
                    break

    def _upload_one(self, part: str, step: int) -> None:
        path = step_folder(self.folder, step) / part
        manifest = manifest_of(path)
        if manifest is None:
            raise FileNotFoundError(path)
        # Not whatever is there: a card is written anew now and then, and a state may be on its way out.
        sha256 = artifacts.put(path, files=[*manifest["files"], MANIFEST])
        beginning = artifacts.put(self._beginning()) if part == STATE else ""
        self.done.put((part, step, sha256, beginning))

    def _beginning(self) -> Path:
        """A folder of copies, made once."""
        folder = self.folder / BEGINNING
        if not folder.is_dir():
            draft = folder.with_name(f"{BEGINNING}.partial")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            for file in [self.folder / "batching", *self.folder.glob("examination-*.jsonl")]:
                shutil.copy2(file, draft / file.name)
            draft.rename(folder)
        return folder
