"""The work of a run: ask the judge about every pair that has no verdict yet, and save what it says as it comes.

Where reasons are wanted for some verdicts only, they are written in a second pass, when all verdicts are there.
"""

import logging
import time
from contextlib import closing, nullcontext

from jobs.errors import PermanentError, StaleAttempt
from jobs.leases import own_gpu
from jobs.running import Running
from judging.backends import Backend, load_backend
from judging.backends.base import Answer, Question
from judging.explaining import explain_run
from judging.memory import RunMemory, left_of_budget
from judging.models import Judge, JudgeRun, Verdict
from judging.questions import open_questions, settings_of, verdict_of
from judging.reasons import owed
from judging.runs import wanted
from judging.sureness import follow

logger = logging.getLogger(__name__)

SAVE_ROWS = 500
SAVE_SECONDS = 2.0
LOG_SECONDS = 10.0


def judge_pairs(running: Running) -> None:
    """Judge what has no verdict yet. Nothing is asked twice and nothing that came is lost, whatever ends it."""
    run = JudgeRun.objects.select_related("judge", "dataset").get(pk=running.subject_id)
    if run.job_id != running.job_id:
        # Both would ask the same questions.
        raise PermanentError(f"Job {run.job_id} has taken over this run of {run}. Carry on with that one.")
    total, done = wanted(run), Verdict.objects.filter(run=run).count()
    running.progress(done, total, "Loading the judge")
    if done < total or owed(run):
        with own_gpu(running) if run.judge.backend == Judge.Backend.TRANSFORMERS else nullcontext():
            _judge_open(running, run, done=done, total=total)
    with running.writing():
        follow(run.dataset)


def _judge_open(running: Running, run: JudgeRun, *, done: int, total: int) -> None:
    logger.info("%s: %d of %d verdicts are there, settings %s", run, done, total, run.frozen)
    backend = load_backend(settings_of(run, memory=RunMemory(run), budget=left_of_budget(run)))
    try:
        with running.writing():
            keep_identity(run, backend.identity)
        with _Saver(running, run, backend, done=done, total=total) as saver:
            for questions in open_questions(run, chunk=backend.capabilities.chunk):
                _ask(backend, questions, run, saver)
        explain_run(running, run, backend)
    finally:
        backend.close()


def keep_identity(run: JudgeRun, identity: dict[str, object]) -> None:
    """Keep what the backend found, once. Raises PermanentError if a later attempt finds another checkpoint."""
    before = run.frozen.get("identity")
    if before is None or before.items() < identity.items():
        # Some of it a server tells with its first answer.
        run.frozen["identity"] = dict(identity)
        run.save(update_fields=["frozen"])
    elif before.get("checkpoint") != identity.get("checkpoint"):
        raise PermanentError(
            "The checkpoint's files have changed since this run began, so its verdicts would be of two judges. "
            "Put the files back and try again, or start a new run."
        )


def _ask(backend: Backend, questions: list[Question], run: JudgeRun, saver: "_Saver") -> None:
    reasons = run.reasons == JudgeRun.Reasons.ALL
    with closing(backend.judge(questions, reasons=reasons)) as answers:  # type: ignore[type-var]
        for answer in answers:
            saver.add(answer)


class _Saver:
    """Verdicts on their way into the database: many at a time, but none waits long.

    Whatever ends the work, what has come is saved first; only an attempt that was overtaken may not.
    """

    def __init__(self, running: Running, run: JudgeRun, backend: Backend, *, done: int, total: int):
        self.running, self.run, self.backend, self.done, self.total = running, run, backend, done, total
        self.waiting: list[Verdict] = []
        self.saved_at = self.logged_at = time.monotonic()

    def __enter__(self) -> "_Saver":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None or not issubclass(kind, StaleAttempt):
            self.save()
        logger.info("%d of %d verdicts are there.", self.done, self.total)

    def add(self, answer: Answer | None) -> None:
        """Take an answer, or None for a moment in which none came. Raises Cancelled and StaleAttempt."""
        if answer is not None:
            self.waiting.append(verdict_of(answer, run=self.run))
        now = time.monotonic()
        if len(self.waiting) >= SAVE_ROWS or (self.waiting and now - self.saved_at >= SAVE_SECONDS):
            self.save()
        if now - self.logged_at >= LOG_SECONDS:
            self.logged_at = now
            logger.info("%d of %d verdicts are there.", self.done, self.total)
        self.running.progress(self.done + len(self.waiting), self.total, "Judging")

    def save(self) -> None:
        if self.waiting:
            with self.running.writing():
                keep_identity(self.run, self.backend.identity)
                Verdict.objects.bulk_create(self.waiting, ignore_conflicts=True)
            self.done += len(self.waiting)
            self.waiting = []
        self.saved_at = time.monotonic()
