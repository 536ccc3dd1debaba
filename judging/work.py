"""The work of a run: ask the judge about every pair that has no verdict yet, and save what it says as it comes.

Questions are in the order that the judge is shown, verdicts in the pair's own terms; `verdict_of` is the one place
where the first becomes the second.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import closing

from annotation.models import Choice, Pair
from jobs.errors import PermanentError, StaleAttempt
from jobs.running import Running
from judging.backends import Backend, Settings, load_backend
from judging.backends.base import Answer, Question
from judging.models import JudgeRun, Verdict
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
    if done < total:
        _judge_open(running, run, done=done, total=total)
    with running.writing():
        follow(run.dataset)


def _judge_open(running: Running, run: JudgeRun, *, done: int, total: int) -> None:
    logger.info("%s: %d of %d verdicts are there, settings %s", run, done, total, run.frozen)
    backend = load_backend(settings_of(run))
    try:
        with running.writing():
            keep_identity(run, backend.identity)
        with _Saver(running, run, done=done, total=total) as saver:
            for questions in open_questions(run, chunk=backend.capabilities.chunk):
                _ask(backend, questions, run, saver)
    finally:
        backend.close()


def settings_of(run: JudgeRun) -> Settings:
    """What was frozen when the run was made, whatever has become of the judge since."""
    names = ("backend", "model", "revision", "template", "parameters", "facts")
    return Settings(**{name: run.frozen[name] for name in names})


def keep_identity(run: JudgeRun, identity: dict[str, object]) -> None:
    """Keep what the backend found, once. Raises PermanentError if a later attempt finds another checkpoint."""
    before = run.frozen.get("identity")
    if before is None:
        run.frozen["identity"] = identity
        run.save(update_fields=["frozen"])
    elif before.get("checkpoint") != identity.get("checkpoint"):
        raise PermanentError(
            "The checkpoint's files have changed since this run began, so its verdicts would be of two judges. "
            "Put the files back and try again, or start a new run."
        )


def open_questions(run: JudgeRun, *, chunk: int) -> Iterator[list[Question]]:
    """What has no verdict yet, about `chunk` questions at a time, in the order of the pairs: memory stays flat."""
    orders = (False, True) if run.order == JudgeRun.Order.BOTH else (False,)
    pairs = Pair.objects.filter(dataset_id=run.dataset_id).order_by("pk")
    after = 0
    while ids := list(pairs.filter(pk__gt=after).values_list("pk", flat=True)[: max(1, chunk // len(orders))]):
        after = ids[-1]
        there = set(
            Verdict.objects.filter(run=run, pair__gte=ids[0], pair__lte=ids[-1]).values_list("pair_id", "swapped")
        )
        missing = {pk: [swapped for swapped in orders if (pk, swapped) not in there] for pk in ids}
        texts = Pair.objects.select_related("prompt", "response_1", "response_2").in_bulk(
            [pk for pk, open_orders in missing.items() if open_orders]
        )
        questions = [question_of(texts[pk], swapped=swapped) for pk in ids if pk in texts for swapped in missing[pk]]
        if questions:
            yield questions


def question_of(pair: Pair, *, swapped: bool) -> Question:
    first, second = pair.response_1.text, pair.response_2.text
    if swapped:
        first, second = second, first
    prompt = pair.prompt
    return Question(pair.pk, swapped, prompt.instruction, prompt.input, first, second, prompt.reference)


def verdict_of(answer: Answer, *, run: JudgeRun) -> Verdict:
    """An answer in the pair's own terms. Texts stay as they are: "response 1" in a reason is the first one shown."""
    choice, p_1, p_2 = answer.choice, answer.p_first, answer.p_second
    if answer.swapped:
        choice, p_1, p_2 = (None if choice is None else Choice(choice).swapped), p_2, p_1
    return Verdict(
        run=run,
        pair_id=answer.pair_id,
        swapped=answer.swapped,
        choice=choice,
        status=answer.status,
        p_1=p_1,
        p_2=p_2,
        p_tie=answer.p_tie,
        reason=storable(answer.reason),
        reference=storable(answer.reference),
        raw=storable(answer.raw),
        prompt_tokens=answer.prompt_tokens,
        answer_tokens=answer.answer_tokens,
        seconds=answer.seconds,
        cost=answer.cost,
    )


def storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half of a surrogate pair; both become the replacement character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _ask(backend: Backend, questions: list[Question], run: JudgeRun, saver: "_Saver") -> None:
    reasons = run.reasons == JudgeRun.Reasons.ALL
    with closing(backend.judge(questions, reasons=reasons)) as answers:  # type: ignore[type-var]
        for answer in answers:
            saver.add(answer)


class _Saver:
    """Verdicts on their way into the database: many at a time, but none waits long.

    Whatever ends the work, what has come is saved first; only an attempt that was overtaken may not.
    """

    def __init__(self, running: Running, run: JudgeRun, *, done: int, total: int):
        self.running, self.run, self.done, self.total = running, run, done, total
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
                Verdict.objects.bulk_create(self.waiting, ignore_conflicts=True)
            self.done += len(self.waiting)
            self.waiting = []
        self.saved_at = time.monotonic()
