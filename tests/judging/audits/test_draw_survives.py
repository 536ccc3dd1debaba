"""A draw on a real worker that is killed -9 in the middle: nothing half drawn, and the next attempt draws the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from jobs.models import Attempt, Job
from judging.audits import asking
from judging.models import Audit, AuditItem, AuditStratum
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, kill_session, until, until_state
from tests.judging.audits.made import draw_sample, make_distilled

pytestmark = pytest.mark.slow


@contextmanager
def strata_held(database: str) -> Iterator[None]:
    """Nobody writes strata in the block, so that a draw stands still in its middle."""
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE judging_auditstratum IN SHARE ROW EXCLUSIVE MODE")
        yield


def waits_for_strata() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND relation = 'judging_auditstratum'::regclass")
        return cursor.fetchone() is not None


def places(audit: Audit) -> list:
    return list(audit.items.order_by("position").values_list("pair", "swapped", "distilled"))


def test_a_killed_draw_leaves_nothing_half_done_and_is_made_again(
    installation: Installation,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    asked = {"run": make_distilled(pairs=12).run, "dimensions": ["verdict"], "size": 6, "seed": 3}
    undisturbed = draw_sample(**asked)
    monkeypatch.setattr(asking, "AT_ONCE", 11)
    worker = installation.worker()
    with strata_held(installation.environment["DATABASE_URL"]):
        audit = draw_sample(**asked)
        until(waits_for_strata, "the draw is at its strata", seconds=60)
        kill_session(worker)
    assert not AuditStratum.objects.filter(audit=audit).exists()
    assert not AuditItem.objects.filter(audit=audit).exists()
    installation.worker()
    installation.beat()
    job = until_state(audit.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=90)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    audit.refresh_from_db()
    assert audit.is_drawn
    assert places(audit) == places(undisturbed)
    states = list(job.attempts.order_by("number").values_list("state", flat=True))
    assert states == [Attempt.State.LOST, Attempt.State.SUCCEEDED]
