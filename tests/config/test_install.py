"""`make run` installs by pip; these use the real one, which never gets as far as a download."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from config.install import Progress

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, "config/install.py"]


def test_what_is_there_already_takes_one_line():
    done = subprocess.run([*SCRIPT, "--no-index", "pip"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("  Packages ")
    assert done.stdout.count("\n") == 1


def test_a_failure_shows_what_pip_said_and_what_to_do():
    done = subprocess.run([*SCRIPT, "--no-index", "no-such-package"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "No matching distribution found for no-such-package" in done.stdout
    assert "Run the same command again" in done.stdout


def test_at_a_terminal_the_line_moves_and_nothing_of_it_stays():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*SCRIPT, "--no-index", "pip"], cwd=ROOT, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # Linux tells so that the other end is closed.
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0
    assert b"\r\x1b[K  Packages " in said


@pytest.mark.parametrize(
    ("lines", "now"),
    [
        (["Collecting django==5.2.9"], "1 found"),
        (
            [
                "Obtaining file:///srv/tiebreak",
                "Collecting torch==2.13.0",
                "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)",
                "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (899.7 MB)",
            ],
            "2 found, downloading torch (899.7 MB)",
        ),
        (
            ["  Downloading https://files.example.org/a0/scikit_learn-1.8.0-cp311-cp311-linux_x86_64.whl (9.1 MB)"],
            "0 found, downloading scikit_learn (9.1 MB)",
        ),
        (["Installing collected packages: torch, django, redis"], "installing 3 packages"),
    ],
)
def test_what_pip_is_at(lines: list[str], now: str):
    progress = Progress()
    for line in lines:
        progress.read(line)
    assert progress.now == now
