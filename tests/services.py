"""A private PostgreSQL and Valkey for one run of the tests, and for each of its processes where it has several.

A plugin (`-p tests.services` in pyproject.toml) and no conftest, because pytest-django reads the settings before any
conftest is loaded. Several runs at once don't meet: each has a data directory of its own.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest

from config import embedded
from config.embedded import postgres, valkey
from config.embedded.locks import Lock
from config.embedded.paths import USERS_LOCK, front


class Services:
    """The services that this run of the tests owns; tests may stop and start them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._users = Lock(home / USERS_LOCK)
        self._valkey: Popen[bytes] | None = None

    def start_database(self) -> None:
        postgres.start(self.home, lock=self._users, durable=False)

    def stop_database(self) -> None:
        postgres.stop(self.home)

    def start_broker(self) -> None:
        (self.home / "logs").mkdir(exist_ok=True)
        with (self.home / "logs" / "valkey.log").open("ab") as log:
            self._valkey = valkey.launch(self.home, log=log)

    def stop_broker(self) -> None:
        if self._valkey is not None:
            self._valkey.terminate()
            self._valkey.wait()
            self._valkey = None

    def close(self) -> None:
        self.stop_broker()
        self.stop_database()
        self._users.release()
        if front(self.home) != self.home:
            front(self.home).unlink(missing_ok=True)


_stack = ExitStack()
_services: Services | None = None


def _open_services() -> Services:
    # Short, because a socket's path has little room, and not below a TMPDIR that may be long.
    home = Path(tempfile.mkdtemp(prefix="tiebreak-test-"))
    _stack.callback(shutil.rmtree, home, ignore_errors=True)
    # Where collected files would be, which whitenoise warns of at every start.
    (home / "static").mkdir()
    services = Services(home)
    _stack.callback(services.close)
    services.start_database()
    services.start_broker()
    os.environ |= {
        "TIEBREAK_HOME": str(home),
        "DATABASE_URL": embedded.database_url(home),
        "BROKER_URL": embedded.broker_url(home),
        # Tests run beside each other: one thread each, and one that waits is not to spin.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return services


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    global _services
    try:
        _services = _open_services()
    except BaseException:
        _stack.close()
        raise


def pytest_unconfigure() -> None:
    _stack.close()


@pytest.fixture(scope="session")
def services() -> Services:
    """The embedded services of this run."""
    assert _services is not None
    return _services
