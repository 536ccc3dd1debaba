"""Connections of the pool, and a restart of PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from annotation.models import User

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]


def ask_all_at_once() -> list[int]:
    """What as many threads get as the pool has connections, each with one of them in hand."""
    connection.close()  # Ours, too.
    together = Barrier(SIZE)

    def ask(_: int) -> int:
        try:
            with connection.cursor() as cursor:
                together.wait(30)
                cursor.execute("SELECT pg_backend_pid()")
                return cursor.fetchone()[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SIZE) as threads:
        return list(threads.map(ask, range(SIZE)))


def test_after_a_restart_of_the_database_nobody_meets_a_broken_connection(services):
    before = set(ask_all_at_once())
    assert len(before) == SIZE
    services.stop_database()
    services.start_database()
    assert not User.objects.exists()
    after = set(ask_all_at_once())
    assert len(after) == SIZE
    assert not after & before


def test_while_the_database_is_away_a_request_fails_and_the_next_one_after_it_does_not(services, monkeypatch):
    assert not User.objects.exists()
    monkeypatch.setattr(connection.pool, "timeout", 0.5)
    connection.close()
    services.stop_database()
    with pytest.raises(OperationalError):
        User.objects.exists()
    services.start_database()
    monkeypatch.undo()
    assert not User.objects.exists()
