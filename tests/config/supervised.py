"""`make run` as a process of its own, with a data directory and a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

from config.embedded.processes import MARK
from config.supervisor.checks import answers

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("valkey", "worker", "worker-gpu", "worker-api", "beat", "web")
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, *, seconds: float = 60) -> T:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"Not within {seconds} s: {what}"
        time.sleep(0.1)
    return result


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home: Path, **settings: str) -> dict[str, str]:
    """What a fresh shell has, and the settings given: nothing of the services of this run of the tests."""
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return inherited | {"TIEBREAK_HOME": str(home)} | settings


def manage(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(home, **settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


def supervise_once(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "config.supervisor"],
        cwd=ROOT,
        env=environment(home, **settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything that belongs to a data directory: marked by its supervisor, working in it, or naming it."""
    return [process for process in psutil.process_iter() if _belongs(process, home)]


def _belongs(process: psutil.Process, home: Path) -> bool:
    with suppress(psutil.Error, OSError):
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        named = str(home) in process.cmdline() or process.environ().get(MARK) == str(home)
        return named or Path(process.cwd()).is_relative_to(home)
    return False


class Supervised:
    """A running supervisor and what it started."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.output = home.with_name(f"{home.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self.output.read_text()

    def start(self) -> None:
        settings = {"PORT": str(self.port), "DEMO": "false", "WEB_PROCESSES": "1", "WORKER_PROCESSES": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor"],
                cwd=ROOT,
                env=environment(self.home, **settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # As in a terminal: what a script starts in the background is made to ignore it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        until(lambda: "ready" in self.said or self.process.poll() is not None, "Tiebreak is ready", seconds=90)
        assert self.process.poll() is None, self.said

    def serves(self) -> bool:
        return answers(f"{self.address}/accounts/login/")

    def programs(self) -> dict[str, psutil.Process]:
        """What the supervisor runs, by the name of its log."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(OSError):  # It has just ended.
                log = Path(f"/proc/{child.pid}/fd/1").readlink()
                if log.parent == self.home / "logs":
                    found[log.stem] = child
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        """Leave nothing behind, whatever a test did."""
        if self.process is not None and self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.stop()
        for process in processes_of(self.home):
            with suppress(psutil.NoSuchProcess):
                process.kill()
