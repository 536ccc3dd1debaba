"""Starting runs of judges and carrying on with them. The work itself is in judging.work."""

from decimal import Decimal

from django.db import transaction
from django.db.models import Count

from annotation.models import Dataset, Label, Pair, User
from jobs import lifecycle
from jobs.crews import MOST_WORKERS, stop, stop_leftovers
from jobs.models import Job
from judging.backends import PATHS, explains
from judging.juries import JuryError, jury_facts
from judging.models import Judge, JudgeRun, Verdict
from judging.prompts.versions import find_template
from judging.runs.crews import call_helpers, helpers_of
from judging.runs.reasons import owed

WORK = "judging.work.judge_pairs"
QUEUES = {Judge.Backend.OPENAI: Job.Queue.API, Judge.Backend.TRANSFORMERS: Job.Queue.GPU}
WITHOUT_REASONS = {Judge.Backend.BASELINE, Judge.Backend.JURY}


class RunError(Exception):
    """The run cannot be started or carried on with; the text says why and what to do."""


def start_run(
    *,
    judge: Judge,
    dataset: Dataset,
    order: str = JudgeRun.Order.GIVEN,
    reasons: str = JudgeRun.Reasons.NONE,
    budget: Decimal | None = None,
    workers: int = 1,
    created_by: User | None = None,
    send: bool = True,
) -> JudgeRun:
    """Freeze the judge's settings, queue the job and return the run. Raises RunError.

    With `send=False` no worker is told of the run's own job: the caller runs it itself (jobs.running.run_here). Of
    `workers` the further ones are workers' always.
    """
    _check(judge, dataset, reasons)
    _check_workers(judge, workers)
    if budget is not None and judge.backend != Judge.Backend.OPENAI:
        raise RunError(f"{judge} costs no money, so a budget would never be reached: start the run without one.")
    facts = _facts(judge, dataset, order)
    with transaction.atomic():
        # One after the other for a judge, so that a double click starts one run.
        locked = Judge.objects.select_for_update().get(pk=judge.pk)
        _check_no_twin(locked, dataset, order, reasons)
        run = JudgeRun.objects.create(
            judge=locked,
            dataset=dataset,
            order=order,
            reasons=reasons,
            budget=budget,
            workers=workers,
            frozen=frozen_settings(locked) | {"facts": facts},
            created_by=created_by,
        )
        _enqueue(run, created_by=created_by, send=send)
        call_helpers(run)
    return run


def set_budget(*, run: JudgeRun, budget: Decimal | None) -> None:
    """US dollars at which the run pauses, from its next attempt on; None for no limit."""
    run.budget = budget
    run.save(update_fields=["budget"])


def set_workers(*, run: JudgeRun, workers: int) -> None:
    """How many share the run, from when it goes on. Raises RunError."""
    _check_workers(run.judge, workers)
    run.workers = workers
    run.save(update_fields=["workers"])


def pause_run(*, run: JudgeRun) -> None:
    """Have all its workers save what came and stop, until the run goes on. Raises RunError where it is over."""
    if run.job is None:
        raise RunError("Its verdicts came from a file: there is nothing to pause.")
    # The run's own job first, so that no helper of it goes on, however it is asked.
    was_live = lifecycle.cancel(job=run.job)
    stop(helpers_of(run))
    if not was_live:
        raise RunError("The run was over already.")


def continue_run(*, run: JudgeRun, created_by: User | None = None, send: bool = True) -> JudgeRun:
    """Judge what has no verdict yet: pairs that came later, or the rest of a run that failed or was paused.

    So it is with reasons, where the run asks for those of some verdicts.

    Raises RunError.
    """
    stop_leftovers(helpers_of(run), leader=run.job_id)
    with transaction.atomic():
        locked = _over(run)
        assert locked.job is not None
        if locked.job.state == Job.State.SUCCEEDED and is_whole(locked) and not owed(locked):
            raise RunError("Every pair of the dataset has its verdict: there is nothing left to judge.")
        _go_on(locked, created_by=created_by, send=send)
    return locked


def retry_failed(*, run: JudgeRun, created_by: User | None = None, send: bool = True) -> JudgeRun:
    """Ask again for the verdicts that failed. Invalid ones stay: they are what the judge said. Raises RunError."""
    stop_leftovers(helpers_of(run), leader=run.job_id)
    with transaction.atomic():
        locked = _over(run)
        failed, _ = Verdict.objects.filter(run=locked, status=Verdict.Status.FAILED).delete()
        if not failed:
            raise RunError("No verdict of this run failed.")
        _go_on(locked, created_by=created_by, send=send)
    return locked


def frozen_settings(judge: Judge) -> dict[str, object]:
    """All that changes an answer, as the judge stands now, and what its prompt template says."""
    names = ("name", "backend", "model", "revision", "template", "parameters", "fingerprint")
    texts = {"texts": find_template(judge.template).texts.as_dict()} if judge.template else {}
    return {name: getattr(judge, name) for name in names} | texts


def wanted(run: JudgeRun) -> int:
    """How many verdicts a whole run has."""
    return len(run.orders) * Pair.objects.filter(dataset_id=run.dataset_id).count()


def is_whole(run: JudgeRun) -> bool:
    return Verdict.objects.filter(run=run).count() >= wanted(run)


def majority_label(dataset: Dataset) -> int | None:
    """The most frequent human label; of equally frequent ones 1 before 2 before tie. None without labels."""
    counts = dict(Label.objects.filter(pair__dataset=dataset).values_list("choice").annotate(n=Count("pk")))
    return max((1, 2, 0), key=lambda choice: counts.get(choice, 0)) if counts else None


def _facts(judge: Judge, dataset: Dataset, order: str) -> dict[str, object]:
    if judge.backend == Judge.Backend.JURY:
        try:
            return jury_facts(rule=judge.model, members=judge.parameters["members"], dataset=dataset, order=order)
        except JuryError as error:
            raise RunError(str(error)) from error
    if judge.backend != Judge.Backend.BASELINE or judge.model != "majority":
        return {}
    majority = majority_label(dataset)
    if majority is None:
        raise RunError("The dataset has no human labels to take a majority of. Label some pairs first.")
    return {"majority": majority}


def _check(judge: Judge, dataset: Dataset, reasons: str) -> None:
    if judge.backend not in PATHS:
        raise RunError(f"The verdicts of {judge} came from a file, so it cannot be run. Import its verdicts instead.")
    if reasons != JudgeRun.Reasons.NONE and judge.backend in WITHOUT_REASONS:
        raise RunError("A baseline or a jury gives no reasons: start the run without them.")
    if reasons in JudgeRun.SECOND_PASS and not explains(judge.backend, judge.parameters):
        raise RunError(
            f"{judge} cannot write a reason behind a verdict that stands: start the run with all reasons or none."
        )
    if not Pair.objects.filter(dataset=dataset).exists():
        raise RunError(f"{dataset} has no pairs yet. Import some first.")


def _check_no_twin(judge: Judge, dataset: Dataset, order: str, reasons: str) -> None:
    twin = JudgeRun.objects.filter(
        judge=judge, dataset=dataset, order=order, reasons=reasons, job__state__in=Job.LIVE
    ).first()
    if twin:
        raise RunError(f"Run {twin.pk} of this judge on this dataset is under way already.")


def _check_workers(judge: Judge, workers: int) -> None:
    if not 1 <= workers <= MOST_WORKERS:
        raise RunError(f"A run has 1 to {MOST_WORKERS} workers.")
    if workers > 1 and judge.backend == Judge.Backend.OPENAI:
        # One purse, one pace, and no question that two of them pay for.
        raise RunError(
            "One worker asks a server many questions at once: make a judge with a higher 'concurrency', and start the "
            "run with one worker."
        )


def _over(run: JudgeRun) -> JudgeRun:
    """The run, locked, with its job. Raises RunError where that is still going on, or never was."""
    locked = JudgeRun.objects.select_for_update(of=("self",)).select_related("job", "judge", "dataset").get(pk=run.pk)
    if locked.job is None:
        raise RunError("Its verdicts came from a file: import a file with more of them.")
    if locked.job.is_live:
        raise RunError("The run is under way.")
    if helpers_of(locked).live().exists():
        raise RunError("A worker of the run is still saving what it has. Go on in a moment.")
    return locked


def _go_on(run: JudgeRun, *, created_by: User | None, send: bool) -> None:
    """A job that failed or was cancelled is tried again; one that succeeded is followed by another."""
    assert run.job is not None
    if run.job.state == Job.State.SUCCEEDED or not send:
        _enqueue(run, created_by=created_by, send=send)
    elif not lifecycle.requeue(job=run.job):
        raise RunError("The run is under way.")
    call_helpers(run)


def _enqueue(run: JudgeRun, *, created_by: User | None, send: bool) -> None:
    run.job = lifecycle.enqueue(
        kind=WORK,
        title=f"{run.judge} judges {run.dataset}",
        subject_id=run.pk,
        queue=QUEUES.get(Judge.Backend(run.judge.backend), Job.Queue.DEFAULT),
        created_by=created_by,
        send=send,
    )
    run.save(update_fields=["job"])
