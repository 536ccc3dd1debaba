"""Child processes that never outlive whoever started them, and are known again after a crash."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from jobs.parents import die_with_parent

# Inherited by everything that a supervisor starts: the next one on the same data directory finds what was left.
MARK = "TIEBREAK_SUPERVISED"


def tied(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` for Popen: the child gets this signal when this process ends, however it ends.

    It runs after the change of user, which would undo it. Where the system is not Linux, the next start clears away
    what was left.
    """
    parent = os.getpid()
    return lambda: die_with_parent(number, parent=parent)


def end(processes: list[psutil.Process], number: signal.Signals, *, seconds: float) -> list[psutil.Process]:
    """Send a signal and wait; return those that still live after `seconds`.

    One that has ended and that nobody collects (a container without an init) counts as gone.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log file, indented; empty where there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 20_000))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
