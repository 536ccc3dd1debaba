"""Two workers of their own processes at one run, one of them killed -9 in the middle: every verdict once, none lost."""

from itertools import pairwise

import pytest
from django.db.models import Count, Max, Min

from jobs.models import Attempt, Job
from judging.models import Chunk, JudgeRun, Verdict
from judging.runs.crews import helpers_of
from judging.runs.starting import start_run
from tests.factories import make_dataset, make_judge
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, children_of, kill_session, until, until_state

pytestmark = pytest.mark.slow


def started(*, pairs: int, seconds: float) -> JudgeRun:
    judge = make_judge(parameters={"seconds": seconds})
    return start_run(judge=judge, dataset=make_dataset(pairs=pairs), order="both", workers=2)


def whole(run: JudgeRun) -> None:
    pairs = run.dataset.pairs.values_list("pk", flat=True)
    rows = list(Verdict.objects.filter(run=run).values_list("pair_id", "swapped"))
    assert sorted(rows) == sorted((pair, swapped) for pair in pairs for swapped in (False, True))
    chunks = list(Chunk.objects.filter(run=run).order_by("first"))
    assert all(one.last < next_one.first for one, next_one in pairwise(chunks))
    assert all(chunk.done for chunk in chunks)


def sharers(run: JudgeRun) -> set[int]:
    """Jobs that have taken a chunk."""
    return set(Chunk.objects.filter(run=run).values_list("attempt__job", flat=True))


def test_two_workers_share_a_run_and_nothing_is_asked_twice(installation: Installation):  # noqa: F811
    installation.worker(concurrency=2)
    run = started(pairs=120, seconds=0.08)
    job = until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=90)
    assert (job.state, job.error, job.done, job.total) == (Job.State.SUCCEEDED, "", 240, 240)
    helper = until_state(helpers_of(run).get(), Job.State.SUCCEEDED)
    whole(run)
    assert sharers(run) == {job.pk, helper.pk}
    # An answer that came twice would have been refused by the constraint, and its number lost.
    ids = Verdict.objects.filter(run=run).aggregate(first=Min("pk"), last=Max("pk"), n=Count("pk"))
    assert ids["last"] - ids["first"] + 1 == ids["n"] == 240


def test_what_a_killed_worker_had_is_judged_by_the_other(installation: Installation):  # noqa: F811
    first, second = installation.worker(concurrency=1), installation.worker(concurrency=1)
    run = started(pairs=150, seconds=0.12)
    until(lambda: Chunk.objects.values("attempt").distinct().count() == 2, "both have pairs", seconds=60)
    until(lambda: Verdict.objects.count() > 20, "verdicts of both are saved", seconds=60)
    victim = helpers_of(run).get()
    pid = victim.attempts.get(state="running").supervisor_pid
    doomed = first if pid in children_of(first.pid) else second
    kill_session(doomed)
    before = dict(Verdict.objects.filter(run=run).values_list("pk", "created_at"))
    assert 0 < len(before) < 300
    job = until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=120)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert job.attempts.count() == 1, "the run's own worker was never disturbed"
    whole(run)
    assert before.items() <= dict(Verdict.objects.filter(run=run).values_list("pk", "created_at")).items()
    assert victim.attempts.filter(state=Attempt.State.LOST).count() == 1
    assert not Chunk.objects.filter(run=run, attempt__state=Attempt.State.LOST, done=False).exists()
