"""What is made sure of before anything slow is done."""

import socket
import urllib.request
from pathlib import Path

import psutil

from config.embedded.locks import Lock
from config.supervisor import plan


class Refused(Exception):
    """Tiebreak cannot start; the text tells the person what to do."""


def read_settings() -> None:
    """Let a bad value be named before anything is started. Raises Refused."""
    try:
        from config import settings  # noqa: F401

        plan.read()
    except ValueError as error:  # The environment's errors are of this kind.
        raise Refused(f"A setting is wrong: {error}\nEach is described in docs/operations.md.") from error


def claim(home: Path) -> Lock:
    """The right to be the one supervisor of a data directory. Raises Refused."""
    lock = Lock(home / "locks" / "supervisor")
    if not lock.try_own():
        raise Refused(
            f"Tiebreak already runs on {home} ({lock.note or 'it is just starting'}).\n"
            "Stop it with Ctrl-C there (or with kill and that number), "
            "or set TIEBREAK_HOME and PORT to run a second one."
        )
    lock.note = ""
    return lock


def check_port(port: int) -> None:
    """Raises Refused if somebody else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.HOST, port))
        except PermissionError:
            raise Refused(f"Port {port} needs the rights of root. Choose one above 1023: PORT=8001 make run") from None
        except OSError:
            other = port + 1 if port < 65535 else port - 1
            raise Refused(f"Port {port} is taken{_holder(port)}. Choose another: PORT={other} make run") from None


def _holder(port: int) -> str:
    """Who listens there, as far as that may be known."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return ""
    return ""


def answers(url: str) -> bool:
    """Whether a page is served there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (our own address)
            return bool(response.status == 200)
    except OSError:  # Refused, reset, timed out, or an HTTP status that is an error.
        return False
