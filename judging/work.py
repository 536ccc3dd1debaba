"""The work of a run: ask the judge about every pair that has no verdict yet, and save what it says as it comes.

Where reasons are wanted for some verdicts only, they are written in a second pass, when all verdicts are there. Any
number of workers may be at it, each with its own judge: jobs.crews says who asks about what.
"""

import logging
import time
from contextlib import closing, nullcontext
from functools import partial

from jobs.crews import WorkIsOver, dismiss
from jobs.errors import Cancelled, PermanentError, StaleAttempt
from jobs.leases import own_gpu
from jobs.running import Running
from judging.backends import Backend, load_backend
from judging.backends.base import Answer, Question, Sends
from judging.explaining import explain_run
from judging.models import Chunk, Judge, JudgeRun, Verdict
from judging.runs.crews import RunCrew, helpers_of
from judging.runs.memory import RunMemory, left_of_budget
from judging.runs.questions import open_questions, pairs_beyond, settings_of, verdict_of
from judging.runs.reasons import owed
from judging.runs.starting import wanted
from judging.sureness import follow

logger = logging.getLogger(__name__)

SAVE_ROWS = 500
SAVE_SECONDS = 2.0
LOG_SECONDS = 10.0
# What other workers have saved is counted this often, and so seldom that counting takes no more than a fiftieth.
COUNT_SECONDS = 3.0
COUNT_SHARE = 50


def judge_pairs(running: Running) -> None:
    """Judge what has no verdict yet. Nothing is asked twice and nothing that came is lost, whatever ends it."""
    run = JudgeRun.objects.select_related("judge", "dataset").get(pk=running.subject_id)
    if run.job_id != running.job_id:
        # Both would ask the same questions.
        raise PermanentError(f"Job {run.job_id} has taken over this run of {run}. Carry on with that one.")
    _take_part(RunCrew(running, run))
    dismiss(helpers_of(run))
    with running.writing():
        follow(run.dataset)


def help_run(running: Running) -> None:
    """A further worker of a run: the same work, for as long as the run's own job is not over."""
    run = JudgeRun.objects.select_related("judge", "dataset").filter(pk=running.subject_id).first()
    if run is None:
        return
    try:
        _take_part(RunCrew(running, run))
    except WorkIsOver:
        logger.info("The run is over, and so is this worker's part in it.")


def _take_part(crew: RunCrew) -> None:
    running, run = crew.running, crew.run
    crew.check()
    total, done = wanted(run), Verdict.objects.filter(run=run).count()
    running.progress(done, total, "Loading the judge")
    if done < total or owed(run):
        with own_gpu(running, check=crew.check) if run.judge.backend == Judge.Backend.TRANSFORMERS else nullcontext():
            crew.check()
            if not crew.is_helper or _is_needed(crew):
                _judge_open(crew, done=done, total=total)


def _is_needed(crew: RunCrew) -> bool:
    """A helper that comes late, maybe because it waited for its device, need not load a judge for nothing."""
    stays = crew.run.reasons in JudgeRun.SECOND_PASS
    return stays or crew.finds_work(partial(pairs_beyond, crew.run), stage=Chunk.Stage.VERDICTS)


def _judge_open(crew: RunCrew, *, done: int, total: int) -> None:
    run = crew.run
    logger.info("%s: %d of %d verdicts are there, settings %s", run, done, total, run.frozen)
    backend = load_backend(settings_of(run, memory=RunMemory(run), budget=left_of_budget(run)))
    try:
        with crew.running.writing():
            keep_identity(run, backend.identity)
        with _Saver(crew, backend, done=done, total=total) as saver:
            _judge_chunks(crew, backend, saver)
        explain_run(crew, backend)
    finally:
        backend.close()


def _judge_chunks(crew: RunCrew, backend: Backend, saver: "_Saver") -> None:
    """One chunk after the other, until all that were taken by anybody are done."""
    size = max(1, backend.capabilities.chunk // len(crew.run.orders))
    while True:
        if chunk := crew.take(partial(pairs_beyond, crew.run), size=size, stage=Chunk.Stage.VERDICTS):
            if questions := open_questions(crew.run, first=chunk.first, last=chunk.last):
                _ask(backend, questions, crew.run, saver)
            saver.finish(chunk)
            continue
        saver.save()
        if crew.all_done(stage=Chunk.Stage.VERDICTS):
            saver.count()
            crew.running.progress(saver.done, saver.total, "Judging")
            return
        saver.wait()


def keep_identity(run: JudgeRun, identity: dict[str, object]) -> None:
    """Keep what the backend found, once. Raises PermanentError if another attempt or worker found something else."""
    before = run.frozen.get("identity")
    if before is not None and identity.items() <= before.items():
        return
    # Another worker may have been the first.
    run.frozen = JudgeRun.objects.select_for_update(no_key=True).values_list("frozen", flat=True).get(pk=run.pk)
    before = run.frozen.get("identity")
    if before is None or before.items() < identity.items():
        # Some of it a server tells with its first answer.
        run.frozen["identity"] = dict(identity)
        run.save(update_fields=["frozen"])
    elif before.get("checkpoint") != identity.get("checkpoint"):
        raise PermanentError(
            "The checkpoint's files are not those with which this run began, so its verdicts would be of two judges. "
            "They have changed, or differ between workers. Put the same files on all of them and go on, or start a new "
            "run."
        )


def _ask(backend: Backend, questions: list[Question], run: JudgeRun, saver: "_Saver") -> None:
    reasons = run.reasons == JudgeRun.Reasons.ALL
    try:
        with closing(backend.judge(questions, reasons=reasons)) as answers:  # type: ignore[type-var]
            for answer in answers:
                saver.add(answer)
    except Cancelled:
        if isinstance(backend, Sends):
            backend.withdraw()
        raise


class _Saver:
    """Verdicts on their way into the database: many at a time, but none waits long.

    Whatever ends the work, what has come is saved first; only an attempt that was overtaken may not. A chunk is done
    when the last of its verdicts is saved.
    """

    def __init__(self, crew: RunCrew, backend: Backend, *, done: int, total: int):
        self.crew, self.running, self.run, self.backend = crew, crew.running, crew.run, backend
        self.sends = backend if isinstance(backend, Sends) else None
        self.done, self.total = done, total
        self.waiting: list[Verdict] = []
        self.finished: list[Chunk] = []
        self.saved_at = self.logged_at = self.counted_at = time.monotonic()
        self.count_seconds = COUNT_SECONDS

    def __enter__(self) -> "_Saver":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None or not issubclass(kind, StaleAttempt):
            self.save()
        logger.info("%d of %d verdicts are there.", self.done, self.total)

    def add(self, answer: Answer | None) -> None:
        """Take an answer, or None for a moment in which none came. Raises Cancelled, StaleAttempt and WorkIsOver."""
        if answer is not None:
            self.waiting.append(verdict_of(answer, run=self.run))
        self._save_when_due((self.sends and self.sends.doing) or "Judging")

    def finish(self, chunk: Chunk) -> None:
        """Every question of the chunk is answered."""
        self.finished.append(chunk)
        self._save_when_due("Judging")

    def wait(self) -> None:
        """For what others have taken. All that came is saved."""
        self.crew.wait()
        self._save_when_due("Waiting for other workers")

    def _save_when_due(self, phase: str) -> None:
        now = time.monotonic()
        rows = len(self.waiting) + len(self.finished)
        if rows >= SAVE_ROWS or (rows and now - self.saved_at >= SAVE_SECONDS):
            self.save()
        if not self.crew.is_alone:
            self.crew.check()
            if now - self.counted_at >= self.count_seconds:
                self.count()
        if now - self.logged_at >= LOG_SECONDS:
            self.logged_at = now
            logger.info("%d of %d verdicts are there.", self.done, self.total)
        self.running.progress(self.done + len(self.waiting), self.total, phase)

    def save(self) -> None:
        if self.waiting or self.finished:
            with self.running.writing():
                keep_identity(self.run, self.backend.identity)
                Verdict.objects.bulk_create(self.waiting, ignore_conflicts=True)
                self.crew.finish(self.finished)
            self.done += len(self.waiting)
            self.waiting, self.finished = [], []
        self.saved_at = time.monotonic()

    def count(self) -> None:
        """What all workers have saved, so that each tells how far the run is."""
        if self.crew.is_alone:
            return
        before = time.monotonic()
        self.done = Verdict.objects.filter(run=self.run).count()
        self.counted_at = time.monotonic()
        self.count_seconds = max(COUNT_SECONDS, COUNT_SHARE * (self.counted_at - before))
