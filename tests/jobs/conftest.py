"""An installation of its own for the tests that kill processes and services."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from annotation.models import Import
from config.embedded.paths import postgres_programs
from jobs.models import Job
from judging.models import JudgeRun
from tests.jobs import work
from tests.jobs.installation import SHORT, Installation, connected_to
from training.models import Checkpoint, Snapshot, TrainingRun


@pytest.fixture(scope="session")
def own_services(django_db_setup, django_db_blocker) -> Iterator[Installation]:
    """Database and broker, started once; whoever kills one starts it again."""
    home = Path(tempfile.mkdtemp(prefix="tiebreak-jobs-"))
    installed = Installation(home)
    with django_db_blocker.unblock():
        # Where no test of the session asks for it, there is no database to take the schema from.
        if "django_migrations" in connection.introspection.table_names():
            copy_schema(to=installed.environment["DATABASE_URL"])
        else:
            with connected_to(installed):
                call_command("migrate", verbosity=0)
    yield installed
    installed.close()
    shutil.rmtree(home, ignore_errors=True)


def copy_schema(*, to: str) -> None:
    """What the migrations made in this session's database, in a tenth of the time that they take."""
    programs = postgres_programs()
    own = connection.settings_dict
    source = ["--host", own["HOST"] or own["OPTIONS"]["host"], "--username", own["USER"], "--dbname", own["NAME"]]
    dump = subprocess.run([programs / "pg_dump", *source], stdout=subprocess.PIPE, check=True).stdout
    psql = [programs / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", to]
    subprocess.run(psql, input=dump, stdout=subprocess.DEVNULL, check=True)


@pytest.fixture
def installation(own_services, settings, django_db_blocker, monkeypatch) -> Iterator[Installation]:
    """The installation without jobs; this process is connected to it. What a test starts ends with it."""
    for name, value in SHORT.items():
        setattr(settings, name, value)
    settings.TIEBREAK_HOME = own_services.home
    for name in ("TIEBREAK_HOME", "DATABASE_URL", "BROKER_URL"):
        monkeypatch.setenv(name, own_services.environment[name])
    before = len(own_services.processes)
    with django_db_blocker.unblock(), connected_to(own_services):
        with connection.cursor() as cursor:
            cursor.execute(work.DROP_TABLE)
            cursor.execute(work.CREATE_TABLE)
        for about_jobs in (Checkpoint, TrainingRun, Snapshot, Import, JudgeRun):
            about_jobs.objects.all().delete()
        Job.objects.all().delete()  # TRUNCATE would lock both tables, in another order than what still ends.
        yield own_services
        own_services.end_processes(since=before)
        own_services.print_logs()


@pytest.fixture(scope="module")
def running_workers(own_services) -> Iterator[None]:
    """Workers of two kinds and a beat, for tests that do them no harm."""
    own_services.beat()
    own_services.worker()
    own_services.worker(pool="threads", queue="api")
    yield
    own_services.end_processes()
