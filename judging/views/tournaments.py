"""Comparing generators, step by step: candidates, pairs and judges, ranking."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from annotation.roles import researchers_only
from judging.models import JudgeRun, Tournament
from judging.tournament_forms import CandidatesForm, PlanForm
from judging.tournaments import Plan, pairs_of, plan_judges

A_PAGE = 50


@require_safe
@researchers_only
def tournaments(request: HttpRequest) -> HttpResponse:
    """Every comparison that was begun, the newest first."""
    found = Tournament.objects.visible_to(request.user).select_related("dataset", "reading", "making", "created_by")
    page = Paginator(found.defer("found", "sample"), A_PAGE).get_page(request.GET.get("page"))
    return render(request, "judging/tournaments.html", {"page": page})


@researchers_only
def tournament_new(request: HttpRequest) -> HttpResponse:
    """Whose answers are compared. `?answered=` names a dataset whose prompts generators have answered already."""
    form = CandidatesForm(
        request.POST or None,
        request.FILES or None,
        user=request.user,
        initial={name: request.GET[name] for name in ("answered", "dataset") if name in request.GET},
    )
    if request.method == "POST" and form.is_valid() and (begun := form.begin()):
        return redirect(begun)
    return render(request, "judging/tournament_new.html", {"form": form}, status=422 if form.errors else 200)


@researchers_only
def tournament(request: HttpRequest, pk: int) -> HttpResponse:
    """How far it is; once the candidates are read, which pairs and judges; once those are made, the runs."""
    related = ("dataset", "answered", "reading", "making", "created_by")
    shown = get_object_or_404(Tournament.objects.visible_to(request.user).select_related(*related), pk=pk)
    form = PlanForm(request.POST or None, initial={"design": "all", "seed": 0})
    asked = request.method == "POST" and form.is_valid()
    if asked and request.POST.get("action") == "start" and form.start(shown, created_by=request.user):
        return redirect(shown)
    context = {"tournament": shown, "form": form, "job": shown.making or shown.reading}
    if shown.is_read and not shown.making and not form.errors:
        plan = form.plan if asked else Plan()
        context["pairs"] = pairs = len(pairs_of(shown, plan))
        judges = form.cleaned_data["judges"] if asked else []
        context["judges"] = plan_judges(shown, pairs, judges)
        context["verdicts"] = sum(each.verdicts for each in context["judges"])
    if shown.dataset:
        context["runs"] = JudgeRun.objects.filter(dataset=shown.dataset).select_related("judge", "job")
    return render(request, "judging/tournament.html", context, status=422 if form.errors else 200)
