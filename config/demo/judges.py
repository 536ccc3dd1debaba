"""The demo's judges: a baseline, a fake one that leans to what it sees first, and a checkpoint trained on the spot."""

from collections.abc import Iterator

from django.conf import settings

from annotation.models import Dataset, User
from config.demo.corpus import SLUG
from jobs.lifecycle import enqueue
from jobs.models import Job
from jobs.running import Running
from judging.judges import create_judge
from judging.models import Judge, JudgeRun
from judging.runs.starting import start_run
from training.tiny_judge import make_tiny_judge

LEANING = "demo-leaning"
TINY = "tiny-judge"
LONGER = "longer"
TRAIN = "config.demo.judges.train_tiny_judge"


def start_demo_jobs() -> Iterator[Job]:
    """Make each judge that is not there yet, and queue its run over the demo's pairs. Training is queued, too."""
    dataset = Dataset.objects.get(slug=SLUG)
    researcher = User.objects.get(username="researcher")
    known = set(Judge.objects.filter(name__in=[LONGER, LEANING, TINY]).values_list("name", flat=True))
    if LONGER not in known:
        judge = create_judge(name=LONGER, backend=Judge.Backend.BASELINE, model="longer", created_by=researcher)
        yield start_run(judge=judge, dataset=dataset, created_by=researcher).job
    if LEANING not in known:
        bias = {"position_bias": 0.15}
        judge = create_judge(name=LEANING, backend=Judge.Backend.FAKE, parameters=bias, created_by=researcher)
        yield _start_both_orders(judge=judge, dataset=dataset).job
    if TINY not in known and not Job.objects.live().filter(kind=TRAIN).exists():
        yield enqueue(
            kind=TRAIN,
            title="Train the demo's judge",
            subject_id=dataset.pk,
            queue=Job.Queue.GPU,
            created_by=researcher,
        )


def train_tiny_judge(running: Running) -> None:
    """The work of the training job: a checkpoint, a judge of it, and the judge's run. What is done is not repeated."""
    folder = settings.TIEBREAK_HOME / "checkpoints" / TINY
    if not folder.exists():
        running.progress(0, total=1, phase="Training")
        make_tiny_judge(output=folder)
    with running.writing():
        judge = Judge.objects.filter(name=TINY).first() or create_judge(
            name=TINY,
            backend=Judge.Backend.TRANSFORMERS,
            model=str(folder),
            created_by=User.objects.filter(username="researcher").first(),
        )
        dataset = Dataset.objects.get(pk=running.subject_id)
        if not JudgeRun.objects.filter(judge=judge, dataset=dataset).exists():
            _start_both_orders(judge=judge, dataset=dataset)
    running.progress(1, total=1)


def _start_both_orders(*, judge: Judge, dataset: Dataset) -> JudgeRun:
    return start_run(
        judge=judge,
        dataset=dataset,
        order=JudgeRun.Order.BOTH,
        reasons=JudgeRun.Reasons.ALL,
        created_by=judge.created_by,
    )
