"""Work for the tests of jobs. It runs in real child processes, so what it did is seen in a table and in files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.db import connection

from jobs.errors import PermanentError
from jobs.running import Running

# No unique constraint: a row written twice has to show.
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS jobs_test_done (job_id bigint, n int, attempt int)"
DROP_TABLE = "DROP TABLE IF EXISTS jobs_test_done"

STEPS = 40
STEP_SECONDS = 0.05


def rows_of(job_id: int) -> list[tuple[int, int]]:
    """(n, attempt) of each row that was written, in order of n."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT n, attempt FROM jobs_test_done WHERE job_id = %s ORDER BY n, attempt", [job_id])
        return cursor.fetchall()


def _save(running: Running, n: int) -> None:
    with running.writing(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs_test_done VALUES (%s, %s, %s)", [running.job_id, n, running.number])


def count(running: Running) -> None:
    """Write the numbers 0 to STEPS - 1, one transaction each, going on after the last that is there."""
    begin = len(rows_of(running.job_id))
    for n in range(begin, STEPS):
        running.progress(n, STEPS, "Counting")
        _save(running, n)
        time.sleep(STEP_SECONDS)
    running.progress(STEPS, STEPS, "Counting")


def quick(running: Running) -> None:
    """Write one row."""
    _save(running, 0)


def wrong_input(running: Running) -> None:
    raise PermanentError("The file has no column 'response1'. Add it and import again.")


def wrong_always(running: Running) -> None:
    _save(running, running.number)
    raise ValueError(f"attempt {running.number} went wrong")


def wrong_once(running: Running) -> None:
    _save(running, running.number)
    if running.number == 1:
        raise ConnectionError("the server went away")


def out_of_memory(running: Running) -> None:
    raise MemoryError("cannot allocate 7 GB")


def killed_once(running: Running) -> None:
    _save(running, running.number)
    if running.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def exits_without_a_word(running: Running) -> None:
    os._exit(7)


def stops_at_a_safe_point(running: Running) -> None:
    """Look for a cancel now and then, for at most half a minute."""
    _save(running, 0)
    for _ in range(600):
        running.check()
        time.sleep(0.05)


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2]], start_new_session=depth == 1)
time.sleep(300)
"""


def stubborn_tree(running: Running) -> None:
    """Start a child, its child, and that one's child in another session: all deaf to TERM, like this process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", STUBBORN, "2", STUBBORN])
    _save(running, 0)
    time.sleep(300)


def leaves_a_daemon(running: Running) -> None:
    """Succeed, but leave a process of another session behind."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)


def talks(running: Running) -> None:
    print("a line of its own")
    sys.stderr.write("10%\r20%\r\x1b[32mgreen\x1b[0m\n")


def touches(running: Running) -> None:
    """Write through the fence after waiting for a file, so that a test can overtake the attempt meanwhile."""
    gate = Path(os.environ["TIEBREAK_HOME"]) / f"gate-{running.job_id}"
    _save(running, 0)
    while not gate.exists():
        time.sleep(0.02)
    _save(running, 1)
