"""The plans of an import's checks, where PostgreSQL knows little of the tables."""

import pytest
from django.db import connection

from tests.annotation.importing import pair_row, run_import

pytestmark = pytest.mark.django_db

PAIRS = 700


TABLES = "annotation_generator, annotation_prompt, annotation_response, annotation_pair"


def test_a_corpus_that_was_last_counted_while_it_was_empty_is_counted_again():
    """A vacuum in the middle of an import sees none of its rows, and PostgreSQL takes that number for granted."""
    vacuum()  # What earlier tests deleted takes no room any more.
    rows = [pair_row(number) for number in range(PAIRS)]
    assert run_import(rows, dataset="d").summary["pairs"]["new"] == PAIRS
    vacuum()
    assert counted() == 0
    verdicts = [{"idx": number, "gpt_result": "1", "gpt_reason": "", "gpt_reference": ""} for number in range(PAIRS)]
    assert run_import(verdicts, dataset="d").summary["verdicts"]["new"] == PAIRS
    assert counted() == 2 * PAIRS


def vacuum() -> None:
    beside = connection.copy()
    try:
        with beside.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
            cursor.execute(f"VACUUM {TABLES}")
    finally:
        beside.close()


def counted() -> float:
    """How many responses PostgreSQL plans with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'annotation_response'")
        return cursor.fetchone()[0]
