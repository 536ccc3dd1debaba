"""Processes as the kernel tells of them (Linux, /proc): who still lives, and who belongs to which attempt.

Everything that an attempt starts inherits the environment variable TIEBREAK_ATTEMPT. It finds the whole tree again,
even what moved to a session of its own, and it never matches a stranger who was given a used process id.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

MARK = "TIEBREAK_ATTEMPT"
PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """The process that answers for an attempt, and the place where its process id means something."""

    host: str
    boot_id: str
    pid: int
    started: int


@cache
def boot_id() -> str:
    """Tells apart boots of the machine, and containers that share its kernel but count processes for themselves."""
    namespace = (PROC / "self/ns/pid").readlink()
    return f"{(PROC / 'sys/kernel/random/boot_id').read_text().strip()} {namespace}"


def this_process() -> Holder:
    return Holder(host=socket.gethostname(), boot_id=boot_id(), pid=os.getpid(), started=started(os.getpid()) or 0)


def is_here(*, host: str, boot: str) -> bool:
    """Whether process ids of that place can be looked up in this one."""
    return host == socket.gethostname() and boot == boot_id()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, so that [0] is the state; empty if there is no such process."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def started(pid: int) -> int | None:
    """When it began, in clock ticks after boot; None if it is no more, or a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def lives(*, pid: int | None, since: int | None) -> bool:
    """Whether this very process, not a later one with its id, still lives."""
    return pid is not None and since is not None and started(pid) == since


def mark_of(attempt_id: int) -> str:
    """What TIEBREAK_ATTEMPT holds: installations on one machine differ in their data directory."""
    return f"{settings.TIEBREAK_HOME}#{attempt_id}"


def marked() -> Iterator[tuple[int, int]]:
    """(process id, attempt id) of every living process on this machine that an attempt of this installation started."""
    prefix = f"{MARK}={settings.TIEBREAK_HOME}#".encode()
    for pid in _pids():
        try:
            environment = (PROC / str(pid) / "environ").read_bytes()
        except OSError:  # It ended meanwhile, or belongs to somebody else.
            continue
        for variable in environment.split(b"\0"):
            if variable.startswith(prefix) and pid != os.getpid() and started(pid) is not None:
                yield pid, int(variable.removeprefix(prefix))


@dataclass(frozen=True)
class Tree:
    """The processes of an attempt on this machine: what carries its mark, and what is in its child's session.

    Either alone would miss some: a daemon leaves the session, and a program that sets its own title in the process
    list (as many servers do) overwrites its environment.
    """

    attempt_id: int
    leader: int | None
    leader_started: int | None

    def members(self) -> list[int]:
        """The living ones."""
        found = {pid for pid, owner in marked() if owner == self.attempt_id}
        if self.leader is not None and self._session_is_ours(self.leader):
            found.update(pid for pid in _pids() if _session(pid) == self.leader)
        return sorted(found)

    def tell(self, what: signal.Signals) -> None:
        for pid in self.members():
            with suppress(ProcessLookupError):
                os.kill(pid, what)

    def kill(self, *, patience: float = 5.0) -> bool:
        """Kill all and see them gone. False if some remain after `patience` seconds: they hang in the kernel.

        Processes may be forked while others are being killed, hence the rounds.
        """
        deadline = time.monotonic() + patience
        while self.members():
            if time.monotonic() > deadline:
                return False
            self.tell(signal.SIGKILL)
            time.sleep(0.02)
        return True

    def _session_is_ours(self, leader: int) -> bool:
        """The id of a session in use is not given to a new process, so only a living leader could be a stranger."""
        now_there = started(leader)
        return now_there is None or now_there == self.leader_started


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _session(pid: int) -> int | None:
    """The session of a living process."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] not in "ZX" else None
