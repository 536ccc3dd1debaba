"""Rows as arrays: whatever number of them there is, and nothing where there is null."""

import pytest
from django.db import connection

from annotation.columns import columns

pytestmark = pytest.mark.django_db
NUMBERS = "SELECT i AS a, i / 4.0 AS b, i %% 7 AS c FROM generate_series(1, %s) i"
TYPES = {"a": "bigint", "b": "float8", "c": "smallint"}


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 50_000])
def test_all_rows_come_and_the_connection_goes_on(n):
    found = columns(NUMBERS, [n], TYPES)
    assert found["a"].tolist() == list(range(1, n + 1))
    assert found["b"].tolist() == [i / 4 for i in range(1, n + 1)]
    assert found["c"].tolist() == [i % 7 for i in range(1, n + 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 5")
        assert cursor.fetchone() == (5,)


def test_a_row_as_short_as_a_row_can_be():
    assert columns("SELECT 1 AS a UNION ALL SELECT -1", [], {"a": "smallint"})["a"].tolist() == [1, -1]


def test_null_is_refused():
    with pytest.raises(ValueError, match="null"):
        columns("SELECT NULL AS a UNION ALL SELECT 1", [], {"a": "bigint"})
