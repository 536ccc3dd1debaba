"""A process that ends with the one that started it (Linux). Without Django, so that any process may import it."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Ask Linux to send `number` to this process when the one that started it ends, however it ends.

    With `parent`, the signal is sent at once if that process is not the parent any more: it ended before this could be
    asked for. Raises OSError where the kernel refuses. On other systems this does nothing.
    """
    if _libc is None:
        return
    if _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)
