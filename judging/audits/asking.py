"""Asking for an audit: drawn at once where that is quick, else by a job that shows how far it is."""

from typing import Any

from django.db import transaction

from annotation.models import User
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.running import Running
from judging.audits.drawing import DrawError, draw_sample, draw_suspicious
from judging.models import Audit, JudgeRun, Verdict

WORK = "judging.audits.asking.draw_in_job"
# A run with more labels is drawn from by a job: beyond this it may take longer than people wait for a page.
AT_ONCE = 20_000


def ask(*, run: JudgeRun, mode: str, size: int, seed: int = 0, how: dict[str, Any], created_by: User | None) -> Audit:
    """The audit, drawn unless the run is large; then its job draws it, and `is_drawn` tells when.

    how: the further arguments of `draw_sample` or `draw_suspicious`, of plain values; `probabilities` is a run's id.
    Raises DrawError where it is drawn at once.
    """
    with transaction.atomic():
        audit = Audit.objects.create(
            dataset_id=run.dataset_id, run=run, mode=mode, size=size, seed=seed, asked=how, created_by=created_by
        )
        if Verdict.objects.filter(run=run, swapped=False)[: AT_ONCE + 1].count() <= AT_ONCE:
            _draw(audit)
            return audit
        title = f"Draw an audit of {run}"
        audit.job = lifecycle.enqueue(kind=WORK, title=title, subject_id=audit.pk, created_by=created_by)
        audit.save(update_fields=["job"])
    return audit


def discard(*, audit: Audit) -> bool:
    """Remove an audit that was never drawn, with what it was asked for. False where it is drawn, or being drawn."""
    with transaction.atomic():
        locked = Audit.objects.select_for_update(of=("self",)).select_related("job").get(pk=audit.pk)
        if locked.is_drawn or (locked.job and locked.job.is_live):
            return False
        locked.delete()
    return True


def draw_in_job(running: Running) -> None:
    """All labels in one transaction, or none. A second attempt draws what the first would have drawn."""
    audit = Audit.objects.select_related("run").filter(pk=running.subject_id).first()
    # None if the dataset was removed meanwhile.
    if audit is None or audit.is_drawn:
        return
    running.progress(0, None, "Drawing labels")
    try:
        with running.writing():
            _draw(audit, running)
    except DrawError as error:
        raise PermanentError(str(error)) from error


def _draw(audit: Audit, running: Running | None = None) -> None:
    how = dict(audit.asked)
    if audit.is_sample:
        draw_sample(audit=audit, **how)
        return
    probabilities = None
    if chosen := how.pop("probabilities"):
        probabilities = JudgeRun.objects.select_related("judge").filter(pk=chosen).first()
        if probabilities is None:
            raise DrawError(
                "The run whose probabilities were to speak is gone. Ask for another audit, with another run."
            )
    draw_suspicious(audit=audit, probabilities=probabilities, tell=running and running.progress, **how)
