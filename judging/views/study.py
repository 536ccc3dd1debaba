from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.models import Dataset
from annotation.roles import reviewers_only
from annotation.study import study_of
from annotation.study_tables import TABLES
from judging import study_charts

DAYS_LISTED = 14


@reviewers_only
@require_safe
def study(request: HttpRequest, slug: str) -> HttpResponse:
    """How far a dataset's labels are, how fast they come, and what each person does."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    found = study_of(dataset)
    context = {
        "dataset": dataset,
        "study": found,
        "by_day": study_charts.labels_by_day(found),
        "so_far": study_charts.labels_so_far(found),
        "zone": settings.TIME_ZONE,
        "days": found.totals()[: -DAYS_LISTED - 1 : -1],
    }
    return render(request, "judging/study.html", context)


@reviewers_only
@require_safe
def study_csv(request: HttpRequest, slug: str, table: str) -> HttpResponse:
    """One of the page's tables, whole."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    response = HttpResponse(b"".join(TABLES[table](study_of(dataset))), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{dataset.slug}-{table}.csv"'
    return response
