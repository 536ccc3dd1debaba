"""How a dataset is labelled: all its settings on one page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from annotation.models import Dataset
from annotation.roles import researchers_only
from annotation.settings_forms import are_valid, save_sections, sections_of


@researchers_only
def settings_page(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    sections = sections_of(dataset, request.POST if request.method == "POST" else None)
    if request.method == "POST" and are_valid(sections):
        save_sections(sections)
        messages.success(request, f"The settings of {slug} are saved. They hold from the next pair on.")
        job = next((section.job for section in sections if section.job), None)
        return redirect("job", job.pk) if job else redirect("dataset_settings", slug)
    status = 422 if request.method == "POST" else 200
    return render(request, "annotation/settings.html", {"dataset": dataset, "sections": sections}, status=status)
