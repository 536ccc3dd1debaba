"""Locks that the kernel gives up when their holder dies, even by kill -9."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """An advisory lock on a file: shared by many, or held by one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def try_share(self) -> bool:
        """Share the lock unless somebody owns it."""
        return self._try(fcntl.LOCK_SH)

    def own(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_own(self) -> bool:
        """Take the lock for this process alone if nobody holds it."""
        return self._try(fcntl.LOCK_EX)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lock up for good."""
        os.close(self._descriptor)

    @property
    def note(self) -> str:
        """What the holder wrote down about itself."""
        return os.pread(self._descriptor, 1000, 0).decode()

    @note.setter
    def note(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Wait for the lock and hold it for the length of a block."""
    lock = Lock(path)
    try:
        lock.own()
        yield
    finally:
        lock.release()
