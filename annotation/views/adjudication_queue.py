"""A dataset's adjudication: the queue of pairs on which people differ, why they did, and unanimous pairs at once."""

import csv

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from annotation import adjudication_queue as queue
from annotation.adjudication_forms import UnanimousForm
from annotation.models import Dataset
from annotation.roles import reviewers_only
from jobs.models import Job

# How the queue asks for its pairs; judging's review list understands it.
ASKED = "kind=human_split&adjudicated=no&desk=on"


@require_safe
@reviewers_only
def adjudication(request: HttpRequest, slug: str) -> HttpResponse:
    """How many pairs wait, where to begin, and the causes that were found so far."""
    dataset = _dataset(request, slug)
    context = {
        "dataset": dataset,
        "waiting": queue.waiting(dataset),
        "causes": queue.causes(dataset),
        "asked": ASKED,
        "labels_needed": queue.labels_needed(dataset),
    }
    return render(request, "annotation/adjudication.html", context)


@reviewers_only
def unanimous(request: HttpRequest, slug: str) -> HttpResponse:
    """Says how many pairs would be adjudicated together, and does it where the answer names that number."""
    dataset = _dataset(request, slug)
    number = queue.count_unanimous(dataset)
    form = UnanimousForm(request.POST or None, number=number)
    if request.method == "POST" and form.is_valid():
        done = queue.adjudicate_unanimous(dataset=dataset, by=request.user)
        if isinstance(done, Job):
            return redirect(done)
        messages.success(request, f"Adjudicated {done} unanimous pair{'' if done == 1 else 's'}.")
        return redirect("adjudication", slug)
    context = {"dataset": dataset, "form": form, "number": number, "labels_needed": queue.labels_needed(dataset)}
    return render(request, "annotation/adjudicate_unanimous.html", context, status=409 if form.errors else 200)


@require_safe
@reviewers_only
def causes(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = _dataset(request, slug)
    headers = {"Content-Disposition": f'attachment; filename="{dataset.slug}-causes.csv"'}
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    written = csv.writer(response)
    written.writerow(["cause", "in_words", "pairs", "percent", "1", "tie", "2"])
    for row in queue.causes(dataset):
        percent = "" if row.share is None else f"{row.share:.2f}"
        written.writerow([row.cause.value, row.cause.label, row.n, percent, *(n for _, n in row.choices)])
    return response


def _dataset(request: HttpRequest, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
