"""Rows that all tests of a module find, made once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def kept(blocker: DjangoDbBlocker) -> Iterator[None]:
    """For a fixture of a module: what the block makes is there until it ends; what a test changes goes with the test.

    Objects are shared: a test that changes rows does that by queries. The fixture needs `django_db_setup`.
    """
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
