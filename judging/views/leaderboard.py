from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.leaderboard import leaderboard_of
from judging.policy_forms import PolicyChooser


@reviewers_only
def leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    """Judges, baselines and people under one policy. Of a large dataset the page comes first and its numbers after."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    chooser = PolicyChooser(request.GET)
    wait = bool(request.htmx) or "wait" in request.GET
    board = leaderboard_of(dataset=dataset, policy=chooser.policy, wait=wait)
    template = "judging/_leaderboard.html" if request.htmx else "judging/leaderboard.html"
    status = 400 if chooser.error else 200
    return render(
        request,
        template,
        {"dataset": dataset, "chooser": chooser, "policy": chooser.policy, "board": board},
        status=status,
    )
