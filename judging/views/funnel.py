"""The funnel through which a run's labels go before a judge learns from them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.roles import researchers_only, reviewers_only
from judging import filtering
from judging.models import JudgeRun


@require_safe
@reviewers_only
def funnel(request: HttpRequest, pk: int) -> HttpResponse:
    """Each filter with what it removes; `on` names those that are switched on, all where the address names none."""
    run = _find(request, pk)
    asked = request.GET.getlist("on") if "chosen" in request.GET else list(filtering.FILTERS)
    unknown = [name for name in asked if name not in filtering.FILTERS]
    job = filtering.job_of(run)
    context = {
        "run": run,
        "dataset": run.dataset,
        "job": job,
        "unknown": unknown,
        "funnel": filtering.funnel_of(run, asked) if job and not unknown else None,
    }
    return render(request, "judging/funnel.html", context, status=400 if unknown else 200)


@require_POST
@researchers_only
def run_filter(request: HttpRequest, pk: int) -> HttpResponse:
    run = _find(request, pk)
    filtering.ask(run=run, by=request.user)
    messages.info(request, "The labels are being filtered. Nothing is removed: pairs are marked.")
    return redirect("funnel", run.pk)


def _find(request: HttpRequest, pk: int) -> JudgeRun:
    return get_object_or_404(JudgeRun.objects.visible_to(request.user).select_related("judge", "dataset"), pk=pk)
