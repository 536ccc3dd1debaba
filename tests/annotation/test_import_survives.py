"""An import on a real worker that is killed -9 in the middle: nothing half imported, and then all of it, once."""

import json
import os
import signal

import pytest
from django.core.files.base import ContentFile
from django.db.models import Count

from annotation.importing.options import Options
from annotation.imports import start_import
from annotation.models import Dataset, Generator, Label, Pair, Prompt, Response, Slot, Split, User
from jobs.models import Attempt, Job
from judging.models import Judge, JudgeRun, Verdict
from tests.annotation.importing import pair_row
from tests.jobs.conftest import installation, own_services  # noqa: F401 - fixtures
from tests.jobs.installation import Installation, gone, until, until_state

pytestmark = pytest.mark.slow

PAIRS = 20_000


def file_of_pairs(name: str) -> ContentFile:
    rows = (
        pair_row(number, instruction=f"{name} {number}", model1=f"{name}-one", model2=f"{name}-two")
        | {"labels": {f"{name}-ann": 1, f"{name}-bob": "tie" if number % 4 == 0 else 1}}
        | {"verdicts": [{"judge": f"{name}-judge", "choice": 2, "reason": "so it seems to me"}]}
        for number in range(PAIRS)
    )
    return ContentFile(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def stored() -> dict[str, int]:
    models = (Dataset, Prompt, Generator, Response, Pair, Slot, Label, Split, User, Judge, JudgeRun, Verdict)
    return {model.__name__: model.objects.count() for model in models}


@pytest.mark.parametrize("phase", ["Reading", "Storing verdicts"])
def test_a_killed_import_leaves_nothing_and_then_imports_once(installation: Installation, settings, phase):  # noqa: F811
    settings.MEDIA_ROOT = installation.home / "files"
    name = phase.replace(" ", "-").lower()
    before = stored()
    installation.worker()
    installation.beat()
    source = start_import(
        file=file_of_pairs(name), file_name="many.jsonl", dataset_slug=name, options=Options(create_annotators=True)
    )
    job = source.job
    until(lambda: _is_in(job, phase), f"it is {phase.lower()}", seconds=60)
    attempt = job.attempts.get(state=Attempt.State.RUNNING)
    os.kill(attempt.pid, signal.SIGKILL)
    until(lambda: gone(attempt), "it is dead")
    assert stored() == before
    until_state(job, Job.State.SUCCEEDED, Job.State.FAILED, seconds=120)
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert list(job.attempts.order_by("number").values_list("state", flat=True)) == ["lost", "succeeded"]
    now = stored()
    assert {what: now[what] - before[what] for what in now} == {
        "Dataset": 1,
        "Prompt": PAIRS,
        "Generator": 2,
        "Response": 2 * PAIRS,
        "Pair": PAIRS,
        "Slot": 3 * PAIRS,
        "Label": 2 * PAIRS,
        "Split": PAIRS // 4,
        "User": 2,
        "Judge": 1,
        "JudgeRun": 1,
        "Verdict": PAIRS,
    }
    pairs = Pair.objects.filter(dataset__slug=name).annotate(n=Count("verdicts"))
    assert not pairs.exclude(n=1).exists()
    source.refresh_from_db()
    assert (source.summary["pairs"]["new"], source.summary["rows"]) == (PAIRS, PAIRS)


def _is_in(job: Job, phase: str) -> bool:
    """In the middle of it, where it counts rows."""
    job.refresh_from_db()
    assert job.state in Job.LIVE, "it ended too soon to be killed"
    return job.phase == phase and job.done > 0
