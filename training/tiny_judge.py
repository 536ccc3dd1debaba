"""The demo's judge: a real checkpoint, trained on the spot in some twenty seconds. No torch in this process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class TinyJudgeError(Exception):
    """The checkpoint was not made; the text says why and what to do."""


def make_tiny_judge(*, output: Path, steps: int = 100, seed: int = 0) -> None:
    """Train the tiny judge in a child process and save it as the folder `output`, which must not exist.

    The child's progress goes to this process's standard output. The folder appears whole, when all is done.
    Raises TinyJudgeError.
    """
    output = output.resolve()
    if output.exists():
        raise TinyJudgeError(f"{output} exists. Choose another folder, or remove that one to train anew.")
    output.parent.mkdir(parents=True, exist_ok=True)
    script = [sys.executable, "-m", "training.tiny_judge_train", "--output", str(output)]
    # Nothing is looked up on a hub: all that it needs is made on the spot.
    # Threads that wait asleep instead of spinning cost nothing alone and much less beside other work.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run([*script, "--steps", str(steps), "--seed", str(seed)], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise TinyJudgeError(
            f"Training the tiny judge ended with exit code {done.returncode}; what it printed says why. If a module is "
            "missing, install the worker's packages: pip install -e '.[worker]' -c constraints.txt."
        )
