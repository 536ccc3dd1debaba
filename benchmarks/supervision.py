"""What it costs a training run to be looked after: `python benchmarks/supervision.py [--rounds 1] [--steps 60]`.

The same run of a tiny random LLaMA is done bare, by DeepSpeed's launcher alone, and as a job: supervised, its lines
copied into rows of a PostgreSQL of its own, its progress told, its stop flag looked at. In every round each way runs
once, in random order.

Prints JSON. cpu_share: between the first step and the last, the CPU time of all that the job adds (supervisor, child,
PostgreSQL) over the CPU time that the machine has, in percent. Where others compute on the machine that is what can be
told; `seconds_a_step` (medians) of the two ways differ by more than that from one run to the next.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import own_database  # noqa: E402
from config.embedded import postgres  # noqa: E402
from training.script.journal import Reader  # noqa: E402

WARM = 2
SAMPLES = 256
HYPERPARAMETERS = {
    "learning_rate": 1e-3,
    "global_batch": 64,
    "piece_tokens": 4096,
    "max_length": 512,
    "batching": "packed",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--ways", default="bare,supervised", help="By comma.")
    given = parser.parse_args()
    with own_database() as home:
        report = _measure(home, given.rounds, given.steps, given.ways.split(","))
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n")


def _measure(home: Path, rounds: int, steps: int, ways: list[str]) -> dict:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _make_base(home / "base")
    snapshot = _make_snapshot()
    told: dict[str, list[dict]] = {way: [] for way in ways}
    for number in range(rounds):
        order = list(told)
        random.Random(number).shuffle(order)
        for way in order:
            run = _make_run(snapshot, home / "base", steps)
            told[way].append(_bare(run) if way == "bare" else _supervised(run))
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "steps": steps,
        "ways": {
            way: {
                "seconds_a_step": round(statistics.median(step for run in runs for step in run["seconds"]), 4),
                "wall_seconds": [run["wall"] for run in runs],
            }
            for way, runs in told.items()
        },
        "cpu_share": [run["cpu_share"] for run in told.get("supervised", [])],
        "cpu_seconds": [run["cpu_seconds"] for run in told.get("supervised", [])],
    }


def _make_base(folder: Path) -> None:
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import torch

    from training.tiny_judge_train import make_model, make_tokenizer

    torch.manual_seed(0)
    tokenizer = make_tokenizer(random.Random(0))
    make_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _make_snapshot():
    from training.artifacts import snapshot_folder
    from training.models import Snapshot
    from training.snapshots import TRAIN
    from training.tiny_judge_data import example

    rng = random.Random(1)
    lines = []
    for number in range(SAMPLES):
        one = example(rng)
        lines.append(
            json.dumps(
                {
                    "instruction": f"{one.asked.instruction} {number}",
                    "input": one.asked.input,
                    "response_1": one.asked.first,
                    "response_2": one.asked.second,
                    "choice": one.choice,
                    "reason": one.reason,
                    "reference": one.reference,
                }
            )
        )
    text = "".join(f"{line}\n" for line in lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    snapshot = Snapshot.objects.create(
        name="made up",
        purpose="judge",
        recipe={"kind": "judge", "run": 0},
        sha256=digest,
        held_out_sha256=digest,
        count=SAMPLES,
        held_out_count=0,
    )
    folder = snapshot_folder(snapshot.pk)
    folder.mkdir(parents=True)
    (folder / TRAIN).write_text(text)
    return snapshot


def _make_run(snapshot, base: Path, steps: int):
    from training.runs import start_training

    epochs = -(-steps * HYPERPARAMETERS["global_batch"] // SAMPLES)
    return start_training(
        name="tiny",
        snapshot=snapshot,
        base_model=str(base),
        hyperparameters=HYPERPARAMETERS | {"epochs": epochs},
        send=False,
    )


def _bare(run) -> dict:
    from training.artifacts import run_folder
    from training.launching import command, environment, free_port
    from training.runs import config_of

    folder = run_folder(run.pk)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config_of(run).model_dump_json())
    line = command(folder, devices=["cpu"], wanted=1, port=free_port())
    own = environment(os.environ, devices=["cpu"], wanted=1, attempt_id=0)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=ROOT, env=own, stdout=log, stderr=log, start_new_session=True)
        try:
            if process.wait():
                raise SystemExit((folder / "log").read_text()[-3000:])
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return _steps_of(folder)


def _supervised(run) -> dict:
    from jobs.models import Attempt
    from jobs.supervise import supervise
    from training.artifacts import run_folder

    attempt = run.job.attempts.get()
    spent = _Spent(run_folder(run.pk))
    spent.start()
    supervise(attempt_id=attempt.pk)
    spent.over.set()
    spent.join()
    attempt = Attempt.objects.get(pk=attempt.pk)
    if attempt.state != Attempt.State.SUCCEEDED:
        raise SystemExit(attempt.error)
    found = _steps_of(run_folder(run.pk))
    shutil.rmtree(run_folder(run.pk))
    return found | spent.told()


class _Spent(threading.Thread):
    """Looks, after the first step and then each second, at what was computed by whom, itself left out."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True)
        self.reader, self.over = Reader(folder), threading.Event()
        self.looks: list[tuple[float, dict[str, float]]] = []
        self.parts: dict[str, list[psutil.Process]] = {}

    def run(self) -> None:
        while not self.over.wait(1):
            if self.looks or any(line["kind"] == "step" for line in self.reader.lines()):
                with suppress(psutil.NoSuchProcess):
                    self.looks.append((time.perf_counter(), self._computed()))

    def _computed(self) -> dict[str, float]:
        """Seconds of CPU so far. To find the processes takes longer than to look at them: once."""
        if not self.parts:
            own = psutil.Process()
            child = next(each for each in own.children() if "jobs.child" in each.cmdline())
            database = psutil.Process(postgres.running(Path(os.environ["TIEBREAK_HOME"])))
            self.parts = {"supervisor": [own], "child": [child], "postgresql": [database, *database.children()]}
        found = {part: sum(sum(each.cpu_times()[:2]) for each in processes) for part, processes in self.parts.items()}
        found["supervisor"] -= time.thread_time()
        return found

    def told(self) -> dict:
        (began, before), (ended, after) = self.looks[0], self.looks[-1]
        spent = {part: after[part] - before[part] for part in after}
        share = sum(spent.values()) / (ended - began) / os.cpu_count()
        parts = {part: round(seconds, 2) for part, seconds in spent.items()}
        return {"cpu_share": round(100 * share, 2), "cpu_seconds": parts}


def _steps_of(folder: Path) -> dict:
    steps = [line for line in Reader(folder).lines() if line["kind"] == "step"]
    return {
        "seconds": [step["seconds"] for step in steps[WARM:]],
        "wall": round(steps[-1]["at"] - steps[WARM]["at"], 2),
    }


if __name__ == "__main__":
    main()
