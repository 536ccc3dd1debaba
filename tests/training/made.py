"""A training run that is over, without having trained: for pages."""

from annotation.models import User
from jobs.lifecycle import enqueue
from jobs.models import Job
from judging.models import JudgeRun
from training.models import Checkpoint, Examination, Snapshot, StepMetric, TrainingRun
from training.recipes import CandidateRecipe, JudgeRecipe
from training.script.config import Hyperparameters, Lora

STEPS = 30
# As an audit gives them; of the judge's snapshot.
WEIGHTS = {
    "overall": 0.81,
    "audited": 1.23,
    "strata": [
        {"name": "label 1, to 300 bytes", "population": 400, "audited": 20, "right": 19, "weight": 1.1},
        {"name": "label 2, over 300 bytes", "population": 200, "audited": 10, "right": 6, "weight": 0.8},
    ],
}


def make_training_run(*, judge_run: JudgeRun, by: User, purpose: str = "judge") -> TrainingRun:
    """With curves, a checkpoint and, of a judge, what it is worth on the run's dataset."""
    is_judge = purpose == "judge"
    recipe = JudgeRecipe(run=judge_run.pk, weights=1) if is_judge else CandidateRecipe(dataset=judge_run.dataset.slug)
    snapshot = Snapshot.objects.create(
        name=f"{purpose} labels of {judge_run.pk}",
        purpose=purpose,
        recipe=recipe.model_dump(),
        sha256="ab" * 32,
        held_out_sha256="cd" * 32,
        count=1200,
        held_out_count=24,
        card={
            "prompts": 300,
            "held_out_prompts": 6,
            "choices": {"0": 200, "1": 500, "2": 500},
            "taken": {},
            "leaks": {},
        }
        | ({"weights": WEIGHTS} if is_judge else {}),
        created_by=by,
    )
    run = TrainingRun.objects.create(
        name=f"tiny {purpose}",
        purpose=purpose,
        snapshot=snapshot,
        base_model="/models/tiny",
        hyperparameters=Hyperparameters(lora=Lora()).model_dump(),
        code="0.1.0",
        found={"started": {"hardware": {"device": "cpu"}, "libraries": {"torch": "2"}}},
        tags=["first"],
        created_by=by,
    )
    run.job = enqueue(kind="tests.nowhere", title=f"Train {run}", subject_id=run.pk, created_by=by)
    run.save()
    Job.objects.filter(pk=run.job_id).update(state=Job.State.SUCCEEDED, finished_at=run.created_at)
    StepMetric.objects.bulk_create(
        StepMetric(
            run=run,
            step=step,
            loss=3 / step + 1,
            learning_rate=2e-5,
            gradient_norm=1.0 / step,
            samples=16,
            tokens=4000,
            answer_tokens=1000,
            squares=1_000_000,
            seconds=0.5,
            memory=10**9,
        )
        for step in range(1, STEPS + 1)
    )
    checkpoint = Checkpoint.objects.create(run=run, step=STEPS, epoch=1, size=3_000_000, held_out_loss=1.2)
    if is_judge:
        run.test_sets.add(judge_run.dataset)
        Examination.objects.create(
            checkpoint=checkpoint,
            dataset=judge_run.dataset,
            pairs=2,
            accuracy=0.5,
            macro_f1=0.4,
            kappa=0.1,
            flips=0.0,
            written=[{"pair": judge_run.dataset.pairs.first().pk, "swapped": True, "text": "1\n\n### Reason: So."}],
        )
    return run
