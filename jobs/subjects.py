"""What a job is about, so that its page leads there. The apps above name the models of their kinds; this knows none."""

from django.apps import apps
from django.db import models

from jobs.models import Job

_models: dict[str, str] = {}


def name_subject(*kinds: str, model: str) -> None:
    """Jobs of these kinds are about rows of a model, as app.Model, that have a page (get_absolute_url).

    By their names, so that a process that starts need not load what does the work.
    """
    _models.update(dict.fromkeys(kinds, model))


def subject_of(job: Job) -> models.Model | None:
    """None where the row is gone, or jobs of the kind have no page but their own."""
    name = _models.get(job.kind)
    return apps.get_model(name)._default_manager.filter(pk=job.subject_id).first() if name else None
