"""Runs of judges: starting one, and what became of it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.roles import researchers_only, reviewers_only
from jobs import logs
from judging.judge_forms import BudgetForm, RunForm, as_json
from judging.memory import spent
from judging.models import Judge, JudgeRun
from judging.policy_forms import PolicyChooser
from judging.run_comparison import compare, others_of
from judging.run_figures import figures_of
from judging.runs import RunError, continue_run, retry_failed, set_budget


@researchers_only
def run_new(request: HttpRequest) -> HttpResponse:
    chosen = {
        name: request.GET[name] for name in ("judge", "dataset", "order", "reasons", "budget") if name in request.GET
    }
    form = RunForm(request.POST or None, user=request.user, initial=chosen)
    if request.method == "POST" and form.is_valid() and (started := form.start()):
        return redirect("run", started.pk)
    return render(
        request,
        "judging/run_new.html",
        {"form": form, "has_judges": form.fields["judge"].queryset.exists()},
        status=422 if form.errors else 200,
    )


@require_safe
@reviewers_only
def run_compare(request: HttpRequest, pk: int) -> HttpResponse:
    """What another run of the same dataset says otherwise."""
    shown, chooser = _find(request, pk), PolicyChooser(request.GET)
    others = others_of(shown)
    said = request.GET.get("other", "")
    other = next((each for each in others if str(each.pk) == said), None)
    wrong = bool(chooser.error or (said and other is None))
    context = {
        "run": shown,
        "dataset": shown.dataset,
        "others": others,
        "other": other,
        "chooser": chooser,
        "comparison": compare(run=shown, other=other, policy=chooser.policy) if other and not wrong else None,
    }
    return render(request, "judging/run_compare.html", context, status=400 if wrong else 200)


@require_POST
@researchers_only
def run_budget(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    form = BudgetForm(request.POST)
    if form.is_valid():
        set_budget(run=shown, budget=form.cleaned_data["budget"])
        messages.success(
            request, "The budget is changed. A run that is under way keeps its old one until it is tried again."
        )
    else:
        messages.error(request, " ".join(form.errors["budget"]))
    return redirect("run", shown.pk)


@reviewers_only
def run(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    attempt = shown.job.attempts.order_by("-number").first() if shown.job else None
    return render(
        request,
        "judging/run.html",
        {
            "run": shown,
            "job": shown.job,
            "figures": figures_of(shown),
            "frozen": as_json(shown.frozen),
            "spent": spent(shown) if shown.judge.backend == Judge.Backend.OPENAI else None,
            "budget_form": BudgetForm(initial={"budget": shown.budget}),
            "judge_changed": shown.frozen.get("fingerprint") not in {None, shown.judge.fingerprint},
            "log": logs.tail(attempt) if attempt else None,
            "may_steer": shown.job is not None and shown.job.may_be_steered_by(request.user),
        },
    )


@require_POST
@researchers_only
def run_continue(request: HttpRequest, pk: int) -> HttpResponse:
    return _carry_on(request, pk, continue_run, "The run goes on with the pairs that have no verdict yet.")


@require_POST
@researchers_only
def run_retry_failed(request: HttpRequest, pk: int) -> HttpResponse:
    return _carry_on(request, pk, retry_failed, "The verdicts that failed are asked for again.")


def _carry_on(request: HttpRequest, pk: int, what, said: str) -> HttpResponse:
    shown = _find(request, pk)
    try:
        what(run=shown, created_by=request.user)
    except RunError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, said)
    return redirect("run", shown.pk)


def _find(request: HttpRequest, pk: int) -> JudgeRun:
    visible = JudgeRun.objects.visible_to(request.user).select_related("judge", "dataset", "job", "created_by")
    return get_object_or_404(visible, pk=pk)
