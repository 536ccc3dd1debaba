"""Use the embedded PostgreSQL: share the one that runs, or start it; it stops when its last user has gone."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from config.embedded.cluster import Cluster
from config.embedded.locks import Lock, owned
from config.embedded.paths import BASE_DIR, USERS_LOCK, EmbeddedError, database_url, make_home, reachable
from config.embedded.processes import end, tail

START_SECONDS = 60
STOP_SECONDS = 45
ORPHAN_SECONDS = 5
KEEPER = "config.embedded.keeper"


@contextmanager
def used(home: Path, *, durable: bool = True) -> Iterator[None]:
    """Have PostgreSQL for the length of a block, together with everybody else who uses it.

    `durable=False` gives up safety for speed and is for data that nobody will miss. Raises EmbeddedError.
    """
    make_home(home)
    lock = Lock(home / USERS_LOCK)
    try:
        start(home, lock=lock, durable=durable)
        yield
    finally:
        lock.release()


def start(home: Path, *, lock: Lock, durable: bool = True) -> int:
    """Hold `lock` as a user and make sure that PostgreSQL answers; return the postmaster's pid.

    Safe to call again when it has died. Raises EmbeddedError with the end of its log.
    """
    make_home(home)
    with owned(home / "locks" / "postgres-start"):
        lock.share()  # Waits for one that is just being stopped.
        if pid := _join(home):
            return pid
        cluster = Cluster(home)
        reachable(home)
        cluster.create()
        cluster.configure(durable=durable)
        _clear_the_dead(cluster)
        keeper = _launch(home)
        _wait_until_ready(home, keeper)
        _create_database(home)
        return int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])


def stop(home: Path) -> None:
    """Stop PostgreSQL under its users' feet (they may start it again), and wait until it has gone."""
    pid = running(home)
    if pid is None:
        return
    if end([psutil.Process(pid)], signal.SIGINT, seconds=STOP_SECONDS):
        raise EmbeddedError(f"PostgreSQL (process {pid}) does not stop. Its log: {log_path(home)}")


def running(home: Path) -> int | None:
    """The pid of the postmaster of `home`, if it lives."""
    data = Cluster(home).data
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    # Its pid may have been given to another process since; a postmaster stands in its data directory.
    return process.pid if _stands_in(process, data) else None


def in_use(home: Path) -> bool:
    """Whether anybody uses PostgreSQL. Asked more than once, because its keeper may not have noticed yet."""
    for _ in range(3):
        probe = Lock(home / USERS_LOCK)
        shared = probe.try_share()
        probe.release()
        if not shared:  # The keeper owns it: it is being stopped.
            return False
        time.sleep(0.1)
    return running(home) is not None


def log_path(home: Path) -> Path:
    return home / "logs" / "postgres.log"


def _join(home: Path) -> int | None:
    """The pid of a PostgreSQL that runs and answers; None if there is none, or it has just gone."""
    deadline = time.monotonic() + START_SECONDS
    while pid := running(home):
        if _refusal(home) is None:
            if _kept(pid):
                reachable(home)
                return pid
            # Nobody would stop it later, and Linux has already told it to stop.
            end([psutil.Process(pid)], signal.SIGINT, seconds=STOP_SECONDS)
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"PostgreSQL (process {pid}) does not answer. The end of its log:\n{tail(log_path(home))}"
            )
        time.sleep(0.05)
    return None


def _kept(pid: int) -> bool:
    """Whether its keeper lives. Orphaned and told to stop is one step for the kernel, so nobody joins one that goes."""
    with suppress(psutil.NoSuchProcess):
        return KEEPER in psutil.Process(psutil.Process(pid).ppid()).cmdline()
    return False


def _clear_the_dead(cluster: Cluster) -> None:
    """Clear away what a killed postmaster left: a pid file that may name a stranger by now, and its children.

    Without its postmaster a server process ends by itself, but only when it next waits for something.
    """
    pid_file = cluster.data / "postmaster.pid"
    if not pid_file.exists():
        return
    orphans = [process for process in psutil.process_iter() if _stands_in(process, cluster.data)]
    for number in (signal.SIGQUIT, signal.SIGKILL):
        orphans = end(orphans, number, seconds=ORPHAN_SECONDS)
    if orphans:
        raise EmbeddedError(f"Processes of an earlier PostgreSQL do not end: {[process.pid for process in orphans]}.")
    pid_file.unlink(missing_ok=True)
    for path in (cluster.root / "run").glob(".s.PGSQL.*"):
        path.unlink()


def _stands_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).samefile(directory)
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, PermissionError):
        return False


def _launch(home: Path) -> "subprocess.Popen[bytes]":
    with log_path(home).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", KEEPER, str(home)],
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Out of reach of the terminal's Ctrl-C: it goes when its users have gone.
            start_new_session=True,
        )


def _wait_until_ready(home: Path, keeper: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while refusal := _refusal(home):
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(
                f"PostgreSQL did not start: {refusal}\nThe end of {log_path(home)}:\n{tail(log_path(home))}"
            )
        time.sleep(0.03)


def _refusal(home: Path) -> str | None:
    """Why PostgreSQL does not answer; None if it does."""
    try:
        psycopg.connect(_administrator(home), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def _create_database(home: Path) -> None:
    """Make the role and the database of Tiebreak, which is no superuser of its own cluster."""
    with psycopg.connect(_administrator(home), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'tiebreak'").fetchone():
            connection.execute("CREATE ROLE tiebreak LOGIN CREATEDB")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'tiebreak'").fetchone():
            connection.execute("CREATE DATABASE tiebreak OWNER tiebreak")


def _administrator(home: Path) -> str:
    return database_url(home).replace("tiebreak@/tiebreak", "postgres@/postgres")
