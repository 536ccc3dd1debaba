"""Statements that PostgreSQL plans once a connection: those that are asked for every label.

Django writes values into the text of a statement, so each one is parsed and planned anew, and for a label that was a
third of the database's work. These bring their values apart, and after five times their plan is kept. A statement is
fit for that when its best plan does not hang on its values, when it writes what picks a partial index as a constant
(`state = 'free'`), and when it names its columns (a kept plan may not change its result).

A plan is made anew when PostgreSQL has analysed a table, not when it has grown: who adds very many rows at once has
them analysed (annotation/slots.py).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

M = TypeVar("M", bound=Model)
Row = Sequence[Any]
Values = Sequence[Any] | Mapping[str, Any]


def cursor() -> CursorWrapper:
    """On Django's connection, with its transaction, its exceptions and its log of queries."""
    connection.ensure_connection()
    bare: Any = psycopg.Cursor(connection.connection)
    return connection.make_debug_cursor(bare) if connection.queries_logged else connection.make_cursor(bare)


def first_row(sql: str, values: Values) -> Row | None:
    with cursor() as asked:
        asked.execute(sql, values)
        return asked.fetchone()


@cache
def columns(model: type[Model]) -> str:
    """The columns of a model, to be read by `instance`."""
    return ", ".join(f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields)


def instance(model: type[M], row: Row | None) -> M | None:
    """The object of a row of `columns(model)`."""
    if row is None:
        return None
    if read := _read_by_django(model):
        row = [read[n](value, None, connection) if n in read else value for n, value in enumerate(row)]
    return model.from_db(connection.alias, _names(model), row)


def by(model: type[M], name: str, value: object) -> M | None:
    """The one object whose unique field has this value."""
    return instance(model, first_row(_by(model, name), [value]))


@cache
def _by(model: type[Model], name: str) -> str:
    return f"SELECT {columns(model)} FROM {model._meta.db_table} WHERE {name} = %s"  # noqa: S608 - names of our models


@cache
def _read_by_django(model: type[Model]) -> dict[int, Callable[..., Any]]:
    """By their place among the columns: fields whose values the driver leaves to Django, as JSON."""
    fields = enumerate(model._meta.concrete_fields)
    return {n: field.from_db_value for n, field in fields if hasattr(field, "from_db_value")}


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
