from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from annotation.export_forms import ExportForm
from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.dataset_page import numbers_of, runs_of


@reviewers_only
def dataset(request: HttpRequest, slug: str) -> HttpResponse:
    """How far a dataset is, how people agree on it, and what was done with it."""
    found = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    numbers = numbers_of(dataset=found, wait=bool(request.htmx) or "wait" in request.GET)
    if request.htmx:
        return render(request, "judging/_dataset_numbers.html", {"dataset": found, "numbers": numbers})
    context = {
        "dataset": found,
        "numbers": numbers,
        "runs": runs_of(found),
        "imports": found.imports.select_related("created_by", "job")[:20],
        "export_form": ExportForm(dataset=found, auto_id="export_%s"),
        "guideline": found.guidelines.first(),
    }
    return render(request, "judging/dataset.html", context)
