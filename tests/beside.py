"""What somebody else does at the same time."""

import threading
from collections.abc import Callable

from django.db import connection


class Beside:
    """A call in a thread and on a connection of its own, which has to wait for the transaction that is open here."""

    def __init__(self, call: Callable[[], object]):
        self._call = call
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self._call()
        connection.close()
        self._done.set()

    def begins_and_waits(self) -> None:
        self._thread.start()
        assert not self._done.wait(0.5)

    def ends(self) -> None:
        """After the transaction. A call that raised has not ended well."""
        self._thread.join(10)
        assert self._done.is_set()
