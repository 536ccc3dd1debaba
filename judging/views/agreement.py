"""How the raters of a dataset agree."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.agreement import tables
from judging.agreement.form import AgreementForm
from judging.agreement.page import agreement_of, has_many


@require_safe
@reviewers_only
def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """Of very many labels the page comes first and its numbers after."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = AgreementForm(request.GET, dataset=dataset)
    status = 200 if form.is_valid() else 400
    wait = bool(request.htmx) or "wait" in request.GET
    found = agreement_of(dataset=dataset, runs=form.runs, by=form.stretches, wait=wait)
    context = {
        "dataset": dataset,
        "form": form,
        "numbers": found and found.numbers,
        "figures": found and found.figures,
        "too_many": found is None and not wait and has_many(dataset),
        "query": request.GET.urlencode(),
    }
    template = "judging/_agreement.html" if request.htmx else "judging/agreement.html"
    return render(request, template, context, status=status)


@require_safe
@reviewers_only
def agreement_file(request: HttpRequest, slug: str) -> HttpResponse:
    """Every number of the page as CSV, a line each."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = AgreementForm(request.GET, dataset=dataset)
    if not form.is_valid():
        return HttpResponse("\n".join(form.wrong), status=400, content_type="text/plain; charset=utf-8")
    found = agreement_of(dataset=dataset, runs=form.runs, by=form.stretches, wait=True)
    headers = {"Content-Disposition": f'attachment; filename="{dataset.slug}-agreement.csv"'}
    return HttpResponse(
        tables.written(found and found.numbers), content_type="text/csv; charset=utf-8", headers=headers
    )
