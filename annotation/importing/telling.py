"""Problems that a query finds: the first of them in full, all of them counted."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection

from annotation.importing.problems import KEPT, Problems


def tell(
    sql: str,
    values: Mapping[str, Any],
    problems: Problems,
    say: Callable[..., tuple[str, str, object]],
    *,
    is_error: bool = True,
) -> int:
    """Add a problem for each row of a query whose first column is a line. Returns how many there are.

    `say` gets the other columns and returns field, message and value.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) OVER (), q.* FROM ({sql}) q ORDER BY 2 LIMIT {KEPT}", values)  # noqa: S608 - our own queries
        rows = cursor.fetchall()
    if not rows:
        return 0
    add = problems.error if is_error else problems.warning
    for _, line, *columns in rows:
        add(line, *say(*columns))
    uncounted = rows[0][0] - len(rows)
    if is_error:
        problems.errors += uncounted
    else:
        problems.warnings += uncounted
    return rows[0][0]
