"""A run on a real worker that is killed -9 in the middle, worker and child together: nothing repeated, nothing lost."""

import pytest

from jobs.models import Attempt, Job
from judging.models import Judge, JudgeRun, Verdict
from judging.runs.starting import start_run
from tests.factories import make_dataset, make_judge
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, kill_session, until, until_state

pytestmark = pytest.mark.slow


def test_a_killed_run_goes_on_without_repeating_or_losing_a_verdict(installation: Installation):  # noqa: F811
    dataset = make_dataset(pairs=150)
    judge: Judge = make_judge(parameters={"seconds": 0.03})
    worker = installation.worker()
    run: JudgeRun = start_run(judge=judge, dataset=dataset, order="both")
    until(lambda: Verdict.objects.filter(run=run).exists(), "the first verdicts are saved", seconds=60)
    kill_session(worker)
    before = dict(Verdict.objects.filter(run=run).values_list("pk", "created_at"))
    assert 0 < len(before) < 300
    installation.worker()
    installation.beat()
    job = until_state(run.job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=90)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    rows = list(Verdict.objects.filter(run=run).values_list("pair_id", "swapped"))
    pairs = dataset.pairs.values_list("pk", flat=True)
    assert sorted(rows) == sorted((pair, swapped) for pair in pairs for swapped in (False, True))
    assert before.items() <= dict(Verdict.objects.filter(run=run).values_list("pk", "created_at")).items()
    states = list(job.attempts.order_by("number").values_list("state", flat=True))
    assert states[-1] == Attempt.State.SUCCEEDED
    assert Attempt.State.LOST in states
