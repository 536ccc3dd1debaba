"""`make run` with real processes, treated badly. The tests of a module share one start where they can."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded import postgres
from config.embedded.processes import MARK
from tests.config.supervised import PROGRAMS, Supervised, manage, processes_of, supervise_once, until

pytestmark = pytest.mark.slow

MAKE_SOMEBODY = (
    "from annotation.models import User; User.objects.create_user(username='somebody', password='x', role='reviewer')"
)
ASK_FOR_SOMEBODY = (
    "from annotation.models import User; print('found', User.objects.filter(username='somebody').count())"
)


@pytest.fixture(scope="module")
def tiebreak(tmp_path_factory: pytest.TempPathFactory):
    supervised = Supervised(tmp_path_factory.mktemp("run") / "home")
    try:
        supervised.start()
        yield supervised
    finally:
        supervised.close()


def test_it_serves_and_says_where(tiebreak: Supervised):
    assert tiebreak.serves()
    assert tiebreak.address in tiebreak.said
    assert set(tiebreak.programs()) >= set(PROGRAMS)
    assert tiebreak.home.stat().st_mode & 0o777 == 0o700


def test_a_second_one_on_the_same_data_is_refused(tiebreak: Supervised):
    second = supervise_once(tiebreak.home, PORT=str(tiebreak.port))
    assert second.returncode == 1
    assert f"already runs on {tiebreak.home}" in second.stdout
    assert f"process {tiebreak.process.pid}, {tiebreak.address}" in second.stdout
    assert tiebreak.serves()


def test_a_command_shares_the_running_database(tiebreak: Supervised):
    before = postgres.running(tiebreak.home)
    done = manage(tiebreak.home, "shell", "-v0", "-c", MAKE_SOMEBODY)
    assert done.returncode == 0, done.stderr
    assert postgres.running(tiebreak.home) == before


def test_whatever_is_killed_is_started_again(tiebreak: Supervised):
    before = tiebreak.programs()
    database = postgres.running(tiebreak.home)
    for name in PROGRAMS:
        before[name].kill()
    os.kill(database, signal.SIGKILL)

    def all_are_new() -> bool:
        now = tiebreak.programs()
        return all(name in now and now[name].pid != before[name].pid for name in PROGRAMS)

    until(all_are_new, "all were started again")
    until(lambda: postgres.running(tiebreak.home) not in {None, database}, "PostgreSQL was started again")
    until(tiebreak.serves, "the page is served again")
    for name in (*PROGRAMS, "PostgreSQL"):
        assert f"  {name}: ended" in tiebreak.said


def test_a_process_of_the_web_server_is_replaced(tiebreak: Supervised):
    web = tiebreak.programs()["web"]
    worker = next(
        child for child in web.children(recursive=True) if "granian" in " ".join(child.cmdline()) + child.name()
    )
    worker.kill()
    until(lambda: not worker.is_running() and tiebreak.serves(), "the page is served by another process")


def test_killed_itself_it_leaves_nothing_and_loses_nothing(tiebreak: Supervised):
    assert len(processes_of(tiebreak.home)) > len(PROGRAMS)
    tiebreak.process.kill()
    tiebreak.process.wait()
    until(lambda: processes_of(tiebreak.home) == [], "everything has gone with the supervisor", seconds=30)
    stray = subprocess.Popen(["sleep", "600"], env={MARK: str(tiebreak.home)})

    tiebreak.start()
    assert tiebreak.serves()
    assert "Ended 1 of the processes of an earlier run." in tiebreak.said
    assert stray.wait(0) == -signal.SIGKILL
    assert "found 1" in manage(tiebreak.home, "shell", "-v0", "-c", ASK_FOR_SOMEBODY).stdout


def test_it_stops_in_order_when_asked(tiebreak: Supervised):
    assert tiebreak.stop(signal.SIGINT) == 0
    assert tiebreak.said.endswith("Stopped.\n")
    assert processes_of(tiebreak.home) == []
    assert not (tiebreak.home / "postgres" / "data" / "postmaster.pid").exists(), "PostgreSQL shut down cleanly"


def test_a_taken_port_is_named_before_anything_slow(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = supervise_once(tmp_path, PORT=str(port))
    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stdout
    assert f"PORT={port + 1} make run" in refused.stdout
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("WEB_PROCESSES", "0"),
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "mysql://localhost/tiebreak"),
        ("DATABASE_URL", "nonsense"),
        ("JOB_BEAT_SECONDS", "soon"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, name: str, value: str):
    refused = supervise_once(tmp_path, **{name: value})
    assert refused.returncode == 1, refused.stderr
    assert name in refused.stdout
    assert "docs/operations.md" in refused.stdout
    assert not (tmp_path / "postgres").exists()


SHOT_AT = """
import os, signal, threading
from config.supervisor.__main__ import hear_signals
asked = hear_signals()
shooter = threading.Thread(target=lambda: [os.kill(os.getpid(), signal.SIGTERM) for _ in range(100_000)])
shooter.start()
while shooter.is_alive():
    asked.wait(0.00001)
print("asked" if asked.is_set() else "not asked")
"""


def test_a_signal_is_heard_whatever_it_interrupts():
    """With a lock in the handler this hangs."""
    done = subprocess.run([sys.executable, "-c", SHOT_AT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "asked\n"
