"""Reasons behind verdicts that stand already: of some pairs of a run, or of one that a reviewer is looking at."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from django.db import transaction

from annotation.models import Choice, Pair, User
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import Running
from judging.backends import Backend, explains, load_backend
from judging.backends.base import Explanation
from judging.models import Chunk, Verdict
from judging.runs.crews import RunCrew
from judging.runs.questions import question_of, settings_of, storable
from judging.runs.reasons import owed
from judging.runs.starting import QUEUES

WORK = "judging.explaining.explain_one"
CHUNK = 256


class ExplainError(Exception):
    """No reason can be asked for; the text says why."""


def explain_run(crew: RunCrew, backend: Backend) -> None:
    """The second pass. What is written is saved as it comes; a cancelled or lost attempt is carried on with."""
    debts = owed(crew.run)
    owing = sorted({pair for pair, _ in debts})
    stage, size = Chunk.Stage.REASONS, CHUNK // len(crew.run.orders)

    def beyond(after: int, limit: int) -> list[int]:
        start = bisect_right(owing, after)
        return owing[start : start + limit]

    while debts:
        if chunk := crew.take(beyond, size=size, stage=stage):
            start, end = (bisect_right(debts, (pair, 0)) for pair in (chunk.first, chunk.last + 1))
            crew.running.progress(start, len(debts), "Writing reasons")
            _explain(crew.running, backend, [pk for _, pk in debts[start:end]], check=crew.check)
            with crew.running.writing():
                crew.finish([chunk])
        elif crew.all_done(stage=stage):
            crew.running.progress(len(debts), len(debts), "Writing reasons")
            return
        else:
            crew.running.progress(len(debts), len(debts), "Waiting for other workers")
            crew.wait()


def ask_reason(*, verdict: Verdict, by: User) -> Job:
    """Have a worker write the reason of one verdict: its job, or the one that is under way. Raises ExplainError."""
    if not explains(verdict.run.judge.backend, verdict.run.judge.parameters):
        raise ExplainError(f"{verdict.run.judge} gives reasons only together with its verdicts: run it with reasons.")
    if verdict.status != Verdict.Status.OK:
        raise ExplainError("A verdict without a choice has nothing to give a reason for.")
    with transaction.atomic():
        locked = Verdict.objects.select_for_update(of=("self",)).select_related("run__judge", "run__dataset")
        verdict = locked.get(pk=verdict.pk)
        if verdict.raw:
            raise ExplainError("This verdict has all that the judge said.")
        return lifecycle.enqueue_once(
            kind=WORK,
            title=f"A reason of {verdict.run.judge}",
            subject_id=verdict.pk,
            queue=QUEUES.get(verdict.run.judge.backend, Job.Queue.DEFAULT),
            created_by=by,
        )


def explain_one(running: Running) -> None:
    verdict = Verdict.objects.select_related("run").filter(pk=running.subject_id, raw="").first()
    if verdict is None:
        return
    running.progress(0, 1, "Loading the judge")
    backend = load_backend(settings_of(verdict.run))
    try:
        known = verdict.run.frozen.get("identity") or {}
        if known.get("checkpoint") != backend.identity.get("checkpoint"):
            raise PermanentError("The checkpoint has changed since this verdict: the reason would be another judge's.")
        running.progress(0, 1, "Writing the reason")
        _explain(running, backend, [verdict.pk], check=running.check)
    finally:
        backend.close()


def _explain(running: Running, backend: Backend, ids: Sequence[int], *, check: Callable[[], None]) -> None:
    verdicts = {(v.pair_id, v.swapped): v for v in Verdict.objects.filter(pk__in=ids)}
    pairs = Pair.objects.select_related("prompt", "response_1", "response_2").in_bulk({pair for pair, _ in verdicts})
    decided = [
        (question_of(pairs[pair], swapped=swapped), _as_shown(verdict)) for (pair, swapped), verdict in verdicts.items()
    ]
    waiting: list[Explanation] = []
    try:
        for explanation in backend.explain(decided):
            if explanation is not None:
                waiting.append(explanation)
            elif waiting:
                _keep_all(running, verdicts, waiting)
                waiting = []
            check()
    finally:
        if waiting:
            _keep_all(running, verdicts, waiting)


def _keep_all(
    running: Running, verdicts: Mapping[tuple[int, bool], Verdict], explanations: Sequence[Explanation]
) -> None:
    with running.writing():
        for each in explanations:
            _keep(verdicts[each.pair_id, each.swapped], each)


def _as_shown(verdict: Verdict) -> int:
    assert verdict.choice is not None
    choice = Choice(verdict.choice)
    return int(choice.swapped if verdict.swapped else choice)


def _keep(verdict: Verdict, explanation: Explanation) -> None:
    """Unless somebody has replaced the verdict meanwhile, by importing another."""
    Verdict.objects.filter(pk=verdict.pk, choice=verdict.choice, raw="").update(
        reason=storable(explanation.reason),
        reference=storable(explanation.reference),
        raw=storable(explanation.raw),
        answer_tokens=explanation.answer_tokens,
        seconds=(verdict.seconds or 0.0) + explanation.seconds,
    )
