"""manage.py run_judge, and the command that makes the tiny judge."""

import io

import pytest
from django.core.management import CommandError, call_command

from jobs.models import Job
from judging.models import JudgeRun, Verdict
from tests.factories import make_dataset, make_judge

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("run_judge", *arguments, stdout=out)
    return out.getvalue()


def test_it_judges_here_and_says_what_came_out():
    make_judge(name="Fake one")
    make_dataset(slug="trial", pairs=4)
    text = run("Fake one", "trial")
    assert "8 verdicts on 4 pairs" in text
    made = JudgeRun.objects.get()
    assert (made.order, made.job.state, Verdict.objects.count()) == ("both", Job.State.SUCCEEDED, 8)


def test_in_the_background_it_only_queues():
    make_judge(name="Fake one")
    make_dataset(slug="trial", pairs=4)
    run("Fake one", "trial", "--background", "--order", "given")
    assert JudgeRun.objects.get().job.state == Job.State.QUEUED
    assert not Verdict.objects.exists()


def test_a_run_that_broke_off_is_carried_on_with():
    make_judge(name="Fake one", parameters={"fail_after": 6})
    make_dataset(slug="trial", pairs=5)
    with pytest.raises(CommandError, match="told to fail"):
        run("Fake one", "trial")
    made = JudgeRun.objects.get()
    assert Verdict.objects.count() == 6
    run("Fake one", "trial", "--continue", str(made.pk))
    assert Verdict.objects.count() == 10


def test_unknown_names_are_answered_with_those_there_are():
    make_judge(name="Fake one")
    make_dataset(slug="trial", pairs=1)
    with pytest.raises(CommandError, match="There are: Fake one"):
        run("Fake two", "trial")
    with pytest.raises(CommandError, match="There are: trial"):
        run("Fake one", "other")
    with pytest.raises(CommandError, match="no run 99"):
        run("Fake one", "trial", "--continue", "99")


def test_what_cannot_be_run_is_a_short_error():
    make_judge(name="Longer", backend="baseline", model="longer")
    make_dataset(slug="trial", pairs=1)
    with pytest.raises(CommandError, match="gives no reasons"):
        run("Longer", "trial", "--reasons", "all")


def test_a_folder_that_exists_is_not_overwritten(tmp_path):
    with pytest.raises(CommandError, match="exists"):
        call_command("make_tiny_judge", output=tmp_path)
