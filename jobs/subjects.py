"""What a job is about, so that its page leads there. The apps above name the models of their kinds; this knows none."""

from django.db import models

from jobs.models import Job

_models: dict[str, type[models.Model]] = {}


def name_subject(*kinds: str, model: type[models.Model]) -> None:
    """Jobs of these kinds are about rows of a model that have a page (get_absolute_url)."""
    _models.update(dict.fromkeys(kinds, model))


def subject_of(job: Job) -> models.Model | None:
    """None where the row is gone, or jobs of the kind have no page but their own."""
    model = _models.get(job.kind)
    return model._default_manager.filter(pk=job.subject_id).first() if model else None
