"""Which processes belong to an attempt, told from the kernel's own words."""

import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings

from jobs import processes
from tests.jobs.installation import until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# A program that overwrites its environment, as servers do that set their title in the process list.
TALKING = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
BARE = [sys.executable, "-c", f"import os, sys; os.execve(sys.executable, {TALKING!r}, {{}})"]


@pytest.fixture
def start():
    begun = []

    def start(command=SLEEP, *, attempt_id: int | None = None, **more) -> subprocess.Popen:
        marked = {processes.MARK: processes.mark_of(attempt_id)} if attempt_id is not None else {}
        begun.append(subprocess.Popen(command, env=os.environ | marked, **more))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def tree(attempt_id: int, leader: subprocess.Popen | None = None) -> processes.Tree:
    started = processes.started(leader.pid) if leader else None
    return processes.Tree(attempt_id, leader=leader and leader.pid, leader_started=started)


def test_this_process_lives_and_a_later_one_with_its_id_would_be_told():
    me = processes.this_process()
    assert processes.lives(pid=me.pid, since=me.started)
    assert not processes.lives(pid=me.pid, since=me.started + 1)
    assert not processes.lives(pid=None, since=None)


def test_a_zombie_does_not_live(start):
    process = start([sys.executable, "-c", ""])
    until(lambda: processes.started(process.pid) is None, "it ended")
    assert process.returncode is None, "nobody has waited for it yet"


def test_a_process_id_means_something_only_in_its_place():
    me = processes.this_process()
    assert processes.is_here(host=me.host, boot=me.boot_id)
    assert not processes.is_here(host=me.host, boot="another boot")
    assert not processes.is_here(host="elsewhere", boot=me.boot_id)


def test_what_carries_the_mark_is_found_in_whatever_session(start):
    ours = [start(attempt_id=41).pid, start(attempt_id=41, start_new_session=True).pid]
    start(attempt_id=42)
    start()
    assert tree(41).members() == sorted(ours)


def test_what_another_installation_marked_is_not_ours(start, settings, tmp_path):
    start(attempt_id=41)
    settings.TIEBREAK_HOME = tmp_path
    assert tree(41).members() == []


def test_what_lost_its_environment_is_found_by_its_session(start):
    leader = start(BARE, attempt_id=41, start_new_session=True, stdout=subprocess.PIPE)
    with leader.stdout:
        assert leader.stdout.readline() == b"up\n"
    assert tree(41).members() == []
    assert tree(41, leader).members() == [leader.pid]


def test_the_session_of_a_stranger_with_a_used_id_is_left_alone(start):
    stranger = start(start_new_session=True)
    then = processes.started(stranger.pid) - 1000
    assert processes.Tree(41, leader=stranger.pid, leader_started=then).members() == []


def test_killing_a_tree_sees_all_of_it_gone(start):
    deaf = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
    ]
    begun = [start(deaf, attempt_id=41, stdout=subprocess.PIPE) for _ in range(3)]
    for process in begun:
        process.stdout.readline()
        process.stdout.close()
    tree(41).tell(signal.SIGTERM)
    assert len(tree(41).members()) == 3
    assert tree(41).kill()
    assert tree(41).members() == []


def test_a_process_dies_with_its_parent_whatever_happens_to_that():
    """The parent is killed; its child, which asked for TERM, ends with what that does to it."""
    child = "import time; from jobs.parents import die_with_parent as d; import signal, os; d(signal.SIGTERM); "
    child += "print(os.getpid(), flush=True); time.sleep(60)"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"],
        stdout=subprocess.PIPE,
        cwd=settings.BASE_DIR,
    )
    pid = int(parent.stdout.readline())
    assert processes.started(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: processes.started(pid) is None, "the child is gone", seconds=5)


def test_a_process_ends_at_once_where_its_parent_has_already_gone():
    code = "from jobs.parents import die_with_parent; die_with_parent(parent=1)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=settings.BASE_DIR, check=False)
    assert ended.returncode == -signal.SIGKILL
