"""Generators compared: their ranking by people and judges."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.scores.policy_forms import PolicyChooser
from judging.scores.ranking import ranking_of


@require_safe
@reviewers_only
def ranking(request: HttpRequest, slug: str) -> HttpResponse:
    """Which generator is better, by whom. `?baseline=` names whom win rates are against."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    chooser = PolicyChooser(request.GET)
    wait = bool(request.htmx) or "wait" in request.GET
    asked = request.GET.get("baseline", "")
    found = ranking_of(dataset=dataset, policy=chooser.policy, baseline=asked, wait=wait)
    unknown = bool(asked and found and found.baseline != asked)
    context = {
        "dataset": dataset,
        "chooser": chooser,
        "policy": chooser.policy,
        "ranking": found,
        "asked": asked,
        "unknown": unknown,
    }
    template = "judging/_ranking.html" if request.htmx else "judging/ranking.html"
    return render(request, template, context, status=400 if chooser.error or unknown else 200)
