"""A whole installation in a directory of its own, to be treated badly: database, broker, workers and beat."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

import psutil
from celery import current_app
from django.conf import settings
from django.db import connection, connections
from environs import Env
from kombu import pools

from config import embedded
from config.embedded import postgres
from jobs import lifecycle, processes
from jobs.models import Attempt, Job
from tests.jobs import work
from tests.services import Services

T = TypeVar("T")

SHORT = {
    "JOB_BEAT_SECONDS": 0.2,
    "JOB_STALE_SECONDS": 3.0,
    "JOB_PROGRESS_SECONDS": 0.1,
    "JOB_GRACE_SECONDS": 1.5,
    "JOB_KILL_SECONDS": 0.5,
    "JOB_REAP_SECONDS": 0.5,
    "JOB_RESEND_SECONDS": 1.0,
    "JOB_RETRY_SECONDS": 0.5,
}


class Installation(Services):
    """Its processes are real and its own; the test process talks to its database and its broker."""

    def __init__(self, home: Path):
        super().__init__(home)
        self.processes: list[subprocess.Popen] = []
        self.number = count()
        self.logs_printed_at = 0.0
        self.start_database()
        self.start_broker()
        self.environment = (
            os.environ
            | {name: str(value) for name, value in SHORT.items()}
            | {
                "TIEBREAK_HOME": str(home),
                "DATABASE_URL": embedded.database_url(home),
                "BROKER_URL": embedded.broker_url(home),
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
        )

    def kill_database(self) -> None:
        """Kill -9 the postmaster; what it started follows it."""
        os.kill(postgres.running(self.home), signal.SIGKILL)
        until(lambda: postgres.running(self.home) is None, "the database is dead")

    def lose_the_broker(self) -> None:
        """Stop the broker and lose its data."""
        self.stop_broker()
        lost = [path for path in self.home.rglob("*.aof*") if path.is_file()]
        assert lost
        for path in lost:
            path.unlink()

    def celery(self, *arguments: str, ready: str) -> subprocess.Popen:
        """A Celery process in a session of its own, as soon as it says in its log that it is ready."""
        log = self.home / f"celery-{next(self.number)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "config", *arguments],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        until(lambda: ready in log.read_text(errors="replace"), f"{arguments[0]} is up, see {log}")
        return process

    def worker(self, *, pool: str = "prefork", queue: str = "default", concurrency: int = 2) -> subprocess.Popen:
        options = ["-P", pool, "-c", str(concurrency), "-Q", queue, "-n", f"{next(self.number)}@%h"]
        return self.celery("worker", *options, "--without-gossip", "--without-mingle", "-l", "info", ready=" ready.")

    def beat(self) -> subprocess.Popen:
        schedule = str(self.home / f"schedule-{next(self.number)}")
        return self.celery("beat", "-s", schedule, "--pidfile=", "-l", "info", ready="beat: Starting")

    def end_processes(self, *, since: int = 0) -> None:
        for process in self.processes[since:]:
            kill_session(process)
        del self.processes[since:]

    def print_logs(self) -> None:
        """For whoever reads about a test that failed."""
        for log in [*self.home.glob("celery-*.log"), *self.home.glob("jobs/*/*.log")]:
            if log.stat().st_mtime > self.logs_printed_at:
                print(f"--- {log.relative_to(self.home)}", log.read_text(errors="replace")[-3000:], sep="\n")
        self.logs_printed_at = time.time()

    def close(self) -> None:
        self.end_processes()
        super().close()


def kill_session(process: subprocess.Popen) -> None:
    """Kill -9 a Celery process and its pool, all at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def children_of(pid: int) -> set[int]:
    """And theirs."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def forget_connections() -> None:
    """To the database and the broker, of this process."""
    connections.close_all()
    connection.close_pool()
    pools.reset()  # A closed pool would be handed out again to whatever test comes next.
    current_app._pool = None
    current_app.amqp._producer_pool = None


def until(condition: Callable[[], T], what: str, *, seconds: float = 30) -> T:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"Not within {seconds} s: {what}"
        time.sleep(0.05)
    return result


def until_state(job: Job, *states: str, seconds: float = 40) -> Job:
    def reached() -> bool:
        job.refresh_from_db()
        return job.state in states

    until(reached, f"job {states}", seconds=seconds)
    return job


@contextmanager
def connected_to(installation: Installation) -> Iterator[None]:
    """For the length of a block, this process's database and broker are those of the installation."""
    here = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "NAME", "USER", "OPTIONS")}
    broker = current_app.conf.broker_url
    there = Env().dj_db_url("NOT_SET", installation.environment["DATABASE_URL"])
    forget_connections()
    there["OPTIONS"] = here["OPTIONS"] | there["OPTIONS"]  # The address of the socket is one.
    connection.settings_dict.update({name: there[name] for name in here})
    current_app.conf.broker_url = installation.environment["BROKER_URL"]
    try:
        yield
    finally:
        forget_connections()
        connection.settings_dict.update(here)
        current_app.conf.broker_url = broker


def enqueued(name: str, **more) -> Job:
    return lifecycle.enqueue(kind=f"tests.jobs.work.{name}", title=name, subject_id=1, **more)


def numbers(job: Job) -> list[int]:
    return [n for n, _ in work.rows_of(job.pk)]


def attempts(job: Job) -> list[str]:
    return list(job.attempts.order_by("number").values_list("state", flat=True))


def running(job: Job, *, rows: int = 1) -> Attempt:
    """The attempt, when its work has written some rows."""
    until(lambda: len(work.rows_of(job.pk)) >= rows, f"{rows} rows")
    return job.attempts.get(state=Attempt.State.RUNNING)


def processes_of(attempt: Attempt) -> list[int]:
    return processes.Tree(attempt.pk, leader=attempt.pid, leader_started=attempt.pid_started).members()


def gone(attempt: Attempt) -> bool:
    return not processes_of(attempt)
