"""The judges: a list, one of them, and making a new one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from annotation.roles import researchers_only, reviewers_only
from judging.backends import PATHS
from judging.backends.baseline import Baseline
from judging.backends.parameters import described
from judging.judge_forms import JudgeForm, as_json
from judging.models import Judge
from judging.runs.memory import ledger, sum_of
from judging.runs.prices import LIST


@reviewers_only
def judges(request: HttpRequest) -> HttpResponse:
    return render(request, "judging/judges.html", {"judges": Judge.objects.with_runs()})


@reviewers_only
def judge(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Judge.objects.select_related("created_by"), pk=pk)
    runs = shown.runs.select_related("dataset", "job", "created_by").order_by("-created_at")
    return render(
        request,
        "judging/judge.html",
        {
            "judge": shown,
            "runs": runs[:100],
            "parameters": as_json(shown.parameters) if shown.parameters else "",
            "may_be_run": request.user.may_research and shown.backend in PATHS,
        },
    )


@reviewers_only
def spending(request: HttpRequest) -> HttpResponse:
    """What was paid, by judge and month."""
    months = ledger()
    return render(request, "judging/spending.html", {"months": months, "total": sum_of(months), "prices": LIST})


@researchers_only
def judge_new(request: HttpRequest) -> HttpResponse:
    form = JudgeForm(request.POST or None, initial={"template": request.GET.get("template", "")})
    if request.method == "POST" and form.is_valid():
        made = form.make(created_by=request.user)
        messages.success(request, f"{made} is ready to be run.")
        return redirect("judge", made.pk)
    chosen = form["backend"].value() or next(iter(form.fields["backend"].choices))[0]
    kinds = [(Judge.Backend(name).label, described(name), name == chosen) for name in PATHS]
    return render(
        request,
        "judging/judge_new.html",
        {"form": form, "kinds": kinds, "baselines": Baseline.NAMES.items()},
        status=422 if form.errors else 200,
    )
