"""The supervisor's part in the embedded PostgreSQL, which it shares with commands that run beside it."""

import time
from pathlib import Path

from config.embedded import postgres
from config.embedded.locks import Lock
from config.embedded.paths import USERS_LOCK, EmbeddedError
from config.supervisor.console import news

STOP_SECONDS = 45
PAUSE_SECONDS = 5


class Database:
    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = Lock(home / USERS_LOCK)
        self._pid: int | None = None
        self._again_at = 0.0

    def start(self) -> None:
        """Raises EmbeddedError."""
        self._pid = postgres.start(self.home, lock=self._lock)

    def look(self) -> None:
        """Start it again if it died."""
        if postgres.running(self.home) == self._pid or time.monotonic() < self._again_at:
            return
        news("PostgreSQL", f"ended, starting it again. Its log: {postgres.log_path(self.home)}")
        try:
            self.start()
        except EmbeddedError as error:
            news("PostgreSQL", str(error))
            self._again_at = time.monotonic() + PAUSE_SECONDS

    def stop(self) -> None:
        """Use it no longer. It stops, unless a command still uses it."""
        self._lock.release()
        deadline = time.monotonic() + STOP_SECONDS
        while pid := postgres.running(self.home):
            if postgres.in_use(self.home):
                news("PostgreSQL", "goes on until the command that still uses it has ended")
                return
            if time.monotonic() > deadline:
                news("PostgreSQL", f"does not stop (process {pid}). Its log: {postgres.log_path(self.home)}")
                return
            time.sleep(0.05)
