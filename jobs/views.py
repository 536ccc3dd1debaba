"""The page of a job: how far it is, its attempts and the end of its log. Looking changes nothing."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from jobs import lifecycle, logs
from jobs.models import Job
from jobs.subjects import subject_of


@require_safe
def job(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    attempts = list(shown.attempts.order_by("-number"))
    return render(
        request,
        "jobs/job.html",
        {
            "job": shown,
            "attempts": attempts,
            # Who may not review sees their own jobs, but not what those are about.
            "subject": subject_of(shown) if request.user.may_review else None,
            "may_steer": shown.may_be_steered_by(request.user),
            "log": logs.tail(attempts[0]) if attempts else None,
        },
    )


@require_safe
def job_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that a page of a live job fetches every second; at the end it has the page loaded anew, once."""
    shown = _find(request, pk)
    if not request.htmx:
        return redirect(shown)
    if not shown.is_live:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "jobs/_progress.html", {"job": shown, "polled": True, "said": request.GET.get("said", "")})


@require_POST
def job_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find_to_steer(request, pk)
    if lifecycle.cancel(job=shown):
        messages.success(request, f"“{shown}” is being cancelled. What it has saved stays.")
    else:
        messages.warning(request, f"“{shown}” was over already.")
    return _back(request, shown)


@require_POST
def job_retry(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find_to_steer(request, pk)
    if lifecycle.requeue(job=shown):
        messages.success(request, f"“{shown}” goes on from what it has saved.")
    else:
        messages.warning(request, f"“{shown}” is not failed or cancelled, so it cannot be tried again.")
    return _back(request, shown)


def _find(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user).select_related("created_by"), pk=pk)


def _find_to_steer(request: HttpRequest, pk: int) -> Job:
    found = _find(request, pk)
    if not found.may_be_steered_by(request.user):
        raise PermissionDenied
    return found


def _back(request: HttpRequest, shown: Job) -> HttpResponse:
    """To the page with the button (a judge run's, say), else to the job's own."""
    there = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return redirect(there if allowed else shown)
