"""The process that keeps the embedded PostgreSQL alive for as long as somebody uses it, and no longer.

Everybody who uses the database holds a shared lock; the keeper waits to own it. The kernel grants that when the last
user has gone, however it went, and the keeper then stops PostgreSQL. So a command may end, be killed, or overlap with
others and with the supervisor: nobody counts, and nothing is left behind.
"""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import FrameType

from config.embedded.cluster import WHERE_IT_STANDS, Cluster, quiet_environment
from config.embedded.locks import Lock
from config.embedded.paths import USERS_LOCK
from config.embedded.processes import tied

FAST_SHUTDOWN_SECONDS = 30


def keep(home: Path) -> int:
    """Run PostgreSQL until nobody uses it or it dies; return its exit code."""
    cluster = Cluster(home)
    owner = cluster.owner
    server = subprocess.Popen(
        [str(cluster.binary("postgres")), "-D", WHERE_IT_STANDS if owner.switched else str(cluster.data)],
        cwd=cluster.data,
        env=quiet_environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=tied(signal.SIGINT),  # A fast, clean shutdown.
        **owner.popen,
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, stop)
    Thread(target=_stop_when_unused, args=(home, server), daemon=True).start()
    return server.wait()


def _stop_when_unused(home: Path, server: "subprocess.Popen[bytes]") -> None:
    # Kept until this process ends, which is after PostgreSQL has: a newcomer waits for that, and starts another.
    Lock(home / USERS_LOCK).own()
    server.send_signal(signal.SIGINT)
    try:
        server.wait(FAST_SHUTDOWN_SECONDS)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)  # No checkpoint; the next start replays the log.


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1])))
