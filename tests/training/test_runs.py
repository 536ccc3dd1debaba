"""A run from its form to a judge on the leaderboard: real processes of a tiny model on the CPU."""

import io
import json
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from jobs.models import Job, Lease
from jobs.running import run_here
from judging.models import JudgeRun, Verdict
from tests.jobs.installation import until
from tests.training.conftest import losses
from training.artifacts import run_folder
from training.launching import launched_on
from training.learnt import held_out_of, learnt_of
from training.models import Checkpoint, StepMetric, TrainingRun
from training.pages import charts_of, checkpoints_of, estimate_of, figures_of
from training.promotion import promote
from training.repeating import compare_losses
from training.runs import TrainingError, config_of, continue_training, repeat, start_training, weights_folder
from training.script.journal import Reader
from training.script.saved import manifest_of

pytestmark = pytest.mark.django_db(transaction=True)


def trained(**asked) -> TrainingRun:
    run = start_training(**asked)
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


# In the place of ssh: the other machine is this one.
SSH = """#!/bin/sh
shift 4
exec sh -c "$1"
"""


def losses_on_two_machines(asked, settings, place: Path) -> dict[int, float]:
    """Of the same run by a process on each of two machines, which are this one twice."""
    ssh = place / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    settings.TRAINING_SSH = str(ssh)
    run = start_training(**asked(devices=2, name="on two machines"))
    folder = run_folder(run.pk)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config_of(run).model_dump_json())
    with launched_on(folder, places={"localhost": [0], "127.0.0.1": [0]}, attempt_id=0, cpu=True) as process:
        until(lambda: process.returncode is not None, "both are done", seconds=240)
        assert process.returncode == 0
    told = list(Reader(folder).lines())
    assert told[0]["world"] == 2
    return {line["step"]: line["loss"] for line in told if line["kind"] == "step"}


@pytest.mark.slow
def test_a_judge_is_trained_by_two_processes_promoted_and_judges(asked, test_set, settings, tmp_path):
    run = trained(**asked(devices=2, test_sets=[test_set]))
    assert run.job.state == Job.State.SUCCEEDED
    steps = list(StepMetric.objects.filter(run=run))
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].loss < steps[0].loss - 0.5
    assert run.found["started"]["world"] == 2
    learnt, held_out = learnt_of(run), held_out_of(run)
    assert (learnt.of, held_out.of) == (run.snapshot.count, run.snapshot.held_out_count)
    assert run.code
    assert not Lease.objects.filter(released_at=None).exists()
    first, second = Checkpoint.objects.filter(run=run)
    assert (first.epoch, second.epoch) == (1, 2)
    assert second.held_out_loss < first.held_out_loss
    folder = weights_folder(run, second.step)
    assert manifest_of(folder)["step"] == second.step
    card = (folder / "README.md").read_text()
    assert run.snapshot.sha256 in card
    (examined,) = second.examinations.all()
    assert (examined.pairs, examined.with_gold) == (20, 20)
    assert f"accuracy {examined.accuracy:.4f}" in card

    # The leaderboard reckons the same from the judge's own run.
    judge = promote(checkpoint=second, test_sets=[test_set])
    assert promote(checkpoint=second, test_sets=[test_set]) == judge
    (judged,) = JudgeRun.objects.filter(judge=judge)
    run_here(job=judged.job, out=io.StringIO())
    assert Verdict.objects.filter(run=judged).count() == 40
    from judging.scores.comparison import classification, confusion, decided
    from judging.scores.evidence import read_people, run_evidence
    from judging.scores.policies import PRESETS
    from judging.scores.scoring import gold_of

    people, policy = read_people(test_set), PRESETS["default"]
    passes = run_evidence(judged, people.pair_ids).passes
    table = confusion(gold_of(people, policy), decided(passes, conflict=policy.conflict, invalid=policy.invalid))
    assert float(classification(table)["accuracy"]) == pytest.approx(examined.accuracy)

    figures = figures_of(run)
    assert figures.step == len(steps)
    assert figures.tokens_a_second > 0
    assert [title for title, _ in charts_of([run])] == ["Loss", "Learning rate", "Gradient norm"]
    assert len(checkpoints_of(run)) == 2
    with pytest.raises(TrainingError, match="is done"):
        continue_training(run=run)

    assert losses_on_two_machines(asked, settings, tmp_path) == pytest.approx(losses(run), abs=1e-5)


@pytest.mark.slow
def test_a_run_done_again_gives_the_same_losses(asked):
    run = trained(**asked(hyperparameters={"epochs": 1}))
    again = repeat(run=run, send=False)
    run_here(job=again.job, out=io.StringIO())
    found = compare_losses(again)
    assert found.is_same
    assert found.steps == StepMetric.objects.filter(run=run).count() > 0


@pytest.mark.slow
def test_a_dry_run_measures_and_saves_nothing(asked):
    run = trained(**asked(dry=True))
    assert run.found["dry"]["memory"] > 0
    assert run.found["dry"]["step"] == 2
    assert not StepMetric.objects.filter(run=run).exists()
    assert not (run_folder(run.pk) / "checkpoints").exists()
    config = json.loads((run_folder(run.pk) / "config.json").read_text())
    from training.script.config import Hyperparameters

    found = estimate_of(
        base_model=run.base_model,
        hyperparameters=Hyperparameters.model_validate(config["hyperparameters"]),
        devices=1,
        samples=100,
    )
    assert found.measured == run
    assert found.memory.total > 0
    assert "--module training.script" in found.command


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"base_model": "/nowhere/at/all"}, None, ""),
        ({"base_model": ""}, "base_model", "Name the folder"),
        ({"base_model": "owner/name", "devices": 0}, "devices", "Between 1 and"),
        ({"revision": "main"}, "revision", "A folder has no revision"),
        ({"hyperparameters": {"learning_rate": -1}}, "learning_rate", "greater than 0"),
        ({"hyperparameters": {"piece_tokens": 64}}, "hyperparameters", "at least max_length"),
        ({"hyperparameters": {"rate": 1}}, "rate", "no such hyperparameter"),
        ({"hyperparameters": {"zero_stage": 3, "lora": {}}}, "hyperparameters", "Adapters are small"),
        ({"name": ""}, "name", "blank"),
    ],
)
def test_what_is_asked_for_is_checked_before_anything_is_queued(asked, more, field, words):
    if field is None:
        # A folder that is not here may be on the workers.
        assert start_training(**asked(**more)).job.state == Job.State.QUEUED
        return
    with pytest.raises(ValidationError) as error:
        start_training(**asked(**more))
    assert words in " ".join(error.value.message_dict[field])
    assert not TrainingRun.objects.exists()


def test_a_folder_that_is_no_checkpoint_is_refused(asked, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValidationError, match="lacks"):
        start_training(**asked(base_model=str(tmp_path)))
