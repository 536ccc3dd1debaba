"""Runs of judges: starting one, and what became of it."""

from functools import partial

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.roles import researchers_only, reviewers_only
from jobs import logs
from judging.judge_forms import BudgetForm, RunForm, as_json
from judging.models import Judge, JudgeRun
from judging.runs.comparison import compare, others_of
from judging.runs.figures import figures_of
from judging.runs.memory import spent
from judging.runs.starting import RunError, continue_run, pause_run, retry_failed, set_budget
from judging.runs.state import state_of
from judging.scores.policy_forms import PolicyChooser


@researchers_only
def run_new(request: HttpRequest) -> HttpResponse:
    names = ("judge", "dataset", "order", "reasons", "budget", "workers")
    chosen = {name: request.GET[name] for name in names if name in request.GET}
    form = RunForm(request.POST or None, user=request.user, initial=chosen)
    planning, plan = request.POST.get("action") == "plan", None
    if request.method == "POST" and form.is_valid():
        if planning:
            plan = form.plan()
        elif started := form.start():
            return redirect("run", started.pk)
    context = {
        "form": form,
        "plan": plan,
        "costs_nothing": planning and plan is None and not form.errors,
        "has_judges": form.fields["judge"].queryset.exists(),
    }
    return render(request, "judging/run_new.html", context, status=422 if form.errors else 200)


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
            request, "The budget is changed. A run that is under way keeps its old one until it is paused and goes on."
        )
    else:
        messages.error(request, " ".join(form.errors["budget"]))
    return redirect("run", shown.pk)


@reviewers_only
def run(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    state = state_of(shown)
    attempt = state.workers[0].attempt if state else None
    return render(
        request,
        "judging/run.html",
        {
            "run": shown,
            "job": shown.job,
            "state": state,
            "figures": figures_of(shown),
            "frozen": as_json(shown.frozen),
            "spent": spent(shown) if shown.judge.backend == Judge.Backend.OPENAI else None,
            "budget_form": BudgetForm(initial={"budget": shown.budget}),
            "judge_changed": shown.frozen.get("fingerprint") not in {None, shown.judge.fingerprint},
            "log": logs.tail(attempt) if attempt else None,
        },
    )


@require_safe
@reviewers_only
def run_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that the page of a live run fetches every second; at the end it has the page loaded anew, once."""
    shown = _find(request, pk)
    state = state_of(shown)
    if not request.htmx:
        return redirect(shown)
    if state is None or not state.is_live:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"run": shown, "state": state, "polled": True, "said": request.GET.get("said", "")}
    return render(request, "judging/_run_progress.html", context)


@require_POST
@researchers_only
def run_pause(request: HttpRequest, pk: int) -> HttpResponse:
    return _carry_on(request, pk, pause_run, "The run saves what came and pauses. Go on whenever you like.")


@require_POST
@researchers_only
def run_continue(request: HttpRequest, pk: int) -> HttpResponse:
    go_on = partial(continue_run, created_by=request.user)
    return _carry_on(request, pk, go_on, "The run goes on with the pairs that have no verdict yet.")


@require_POST
@researchers_only
def run_retry_failed(request: HttpRequest, pk: int) -> HttpResponse:
    again = partial(retry_failed, created_by=request.user)
    return _carry_on(request, pk, again, "The verdicts that failed are asked for again.")


def _carry_on(request: HttpRequest, pk: int, what, said: str) -> HttpResponse:
    shown = _find(request, pk)
    try:
        what(run=shown)
    except RunError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, said)
    return redirect("run", shown.pk)


def _find(request: HttpRequest, pk: int) -> JudgeRun:
    visible = JudgeRun.objects.visible_to(request.user).select_related("judge", "dataset", "job", "created_by")
    return get_object_or_404(visible, pk=pk)
