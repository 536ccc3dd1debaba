"""What the benchmarks share: a database of their own, requests timed in one process, and how free the machine is."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded import database_url, postgres


@contextmanager
def own_database() -> Iterator[Path]:
    """A fresh PostgreSQL for this process and all that it starts, before Django is set up: its data directory."""
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as folder:
        home = Path(folder)
        os.environ |= {
            "TIEBREAK_HOME": folder,
            "DATABASE_URL": database_url(home),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "ERROR",
        }
        with postgres.used(home):
            try:
                yield home
            finally:
                # Gone before its directory goes.
                postgres.stop(home)


def machine() -> dict[str, object]:
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "calibration_ms": calibration()}


def calibration() -> float:
    """Milliseconds of a fixed Python loop: about 105 where the machine is free, more where others use it too."""
    started = time.perf_counter()
    total = 0
    for number in range(2_000_000):
        total += number * number % 7
    return round((time.perf_counter() - started) * 1000, 1)


def timed(ask: Callable[[], object], repeats: int, before: Callable[[], object] = lambda: None) -> dict[str, float]:
    """Medians of a request in this process, after one that does not count: ms, and cpu_ms of this process alone.

    before: what is done, unmeasured, before each.
    """
    before()
    assert ask().status_code == 200  # type: ignore[attr-defined]
    walls, cpus = [], []
    for _ in range(repeats):
        before()
        wall, cpu = time.perf_counter(), time.process_time()
        ask()
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    return {"ms": round(statistics.median(walls), 1), "cpu_ms": round(statistics.median(cpus), 1)}
