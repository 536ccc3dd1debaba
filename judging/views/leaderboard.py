from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.scores.board_form import BoardForm, SlicesForm
from judging.scores.leaderboard import beside_of, fragment_of, leaderboard_of
from judging.scores.slices import slices_of


@require_safe
@reviewers_only
def leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    """Judges, baselines and people under one policy. Of a large dataset the page comes first and its numbers after."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = BoardForm(request.GET)
    status = 400 if form.wrong else 200
    wait = bool(request.htmx) or "wait" in request.GET
    board = leaderboard_of(dataset=dataset, policy=form.policy, wait=wait)
    context = {"dataset": dataset, "form": form, "chooser": form.chooser, "policy": form.policy, "board": board}
    if board:
        context["beside"] = beside_of(dataset=dataset, policy=form.policy, other=form.other) if form.other else None
        context["numbers"] = fragment_of(board, dataset=dataset, weighted=form.is_weighted)
    template = "judging/_leaderboard_page.html" if request.htmx else "judging/leaderboard.html"
    return render(request, template, context, status=status)


@require_safe
@reviewers_only
def leaderboard_slices(request: HttpRequest, slug: str) -> HttpResponse:
    """Each judge on pairs of one source, length, or of two generators."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = SlicesForm(request.GET, dataset=dataset)
    status = 200 if form.is_valid() else 400
    wait = bool(request.htmx) or "wait" in request.GET
    asked = {"policy": form.policy_asked, "by": form.slice_by, "runs": form.runs}
    found = slices_of(dataset=dataset, **asked, wait=wait)
    context = {"dataset": dataset, "form": form, "board": found, "query": request.GET.urlencode()}
    template = "judging/_leaderboard_slices.html" if request.htmx else "judging/leaderboard_slices.html"
    return render(request, template, context, status=status)
