"""One supervised process: started with a log of its own, started again when it dies, stopped when asked."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.embedded import valkey
from config.embedded.paths import BASE_DIR
from config.embedded.processes import MARK, end, tied
from config.supervisor.console import news

OLD_LOGS = 3
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# Whoever lived for so long did not die of its own start.
STEADY_SECONDS = 60.0


@dataclass
class Program:
    """A process of the plan. `grace` is how many seconds it has to end after TERM."""

    name: str
    home: Path
    command: list[str]
    grace: float = 20.0
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    again_at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS

    @property
    def log(self) -> Path:
        return self.home / "logs" / f"{self.name}.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=BASE_DIR,
                env=marked_environment(self.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the supervisor, which stops everything in order.
                start_new_session=True,
                # Without its supervisor it has no services either, so there is nothing to end in order.
                preexec_fn=tied(signal.SIGKILL),
            )
        self.started_at = time.monotonic()

    def look(self) -> None:
        """Start it again if it died, after longer and longer pauses."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._bury(code)
        if time.monotonic() >= self.again_at:
            self.start()

    def _bury(self, code: int) -> None:
        assert self.process is not None
        kill_session(self.process.pid)  # Its own children must not hold the port or do its work twice.
        self.process = None
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.pause = FIRST_PAUSE_SECONDS
        news(self.name, f"ended ({ending(code)}), starting again in {self.pause:.0f} s. Its log: {self.log}")
        self.again_at = time.monotonic() + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_stopped(self) -> None:
        """Wait for the end that was asked for, and force it after the grace."""
        if self.process is None:
            return
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            news(self.name, f"did not stop within {self.grace:.0f} s and was killed")
        kill_session(self.process.pid)
        self.process.wait()
        self.process = None


class Broker(Program):
    """Valkey, which counts as started when it answers."""

    def __init__(self, home: Path) -> None:
        super().__init__(name="valkey", home=home, command=[])

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = valkey.launch(self.home, log=log, environment=marked_environment(self.home))
        self.started_at = time.monotonic()


def marked_environment(home: Path) -> dict[str, str]:
    return os.environ | {MARK: str(home), "TIEBREAK_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def rotate_logs(directory: Path) -> None:
    """Begin new log files; the last few starts are kept as name.log.1 and so on."""
    for log in directory.glob("*.log"):
        if log.name == "postgres.log":  # It may be in use by a command that runs beside this start.
            continue
        for number in range(OLD_LOGS, 0, -1):
            older = log.with_name(f"{log.name}.{number}")
            newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
            if newer.exists():
                newer.replace(older)


def clear_leftovers(home: Path) -> int:
    """Kill what an earlier supervisor of this data directory left behind; return how many processes that were."""
    left = [process for process in psutil.process_iter() if _is_left(process, home)]
    end(left, signal.SIGKILL, seconds=10)
    return len(left)


def _is_left(process: psutil.Process, home: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == str(home)
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False


def kill_session(leader: int) -> None:
    """Kill what remains of the process group of a program that has ended, or will not."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]
