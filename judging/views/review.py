"""The review list, and one pair of it side by side."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from annotation.adjudication_forms import AdjudicationForm, CommentForm
from annotation.models import Dataset, Pair
from annotation.roles import reviewers_only
from judging.explaining import ExplainError, ask_reason
from judging.models import JudgeRun, SavedFilter, Verdict
from judging.review import listing
from judging.review.disagreement import Criteria
from judging.review.form import ReviewForm
from judging.review.pair import queue_around, reading_of
from judging.scores.policies import PRESETS


@require_safe
@reviewers_only
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """The pairs of a dataset that the address asks for, a page at a time."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = ReviewForm(request.GET, dataset=dataset)
    if not form.is_valid():
        return render(request, "judging/review.html", {"dataset": dataset, "form": form}, status=400)
    criteria = form.criteria
    places = {name: form.cleaned_data[name] for name in ("order", "after", "before")}
    page = listing.page(criteria, **places)
    rows = listing.rows(criteria, page.ids)
    saved = SavedFilter.objects.filter(dataset=dataset).visible_to(request.user)
    context = {"dataset": dataset, "form": form, "page": page, "rows": rows, "saved": saved}
    return render(request, "judging/review.html", context)


@require_safe
@reviewers_only
def review_count(request: HttpRequest, slug: str) -> HttpResponse:
    """How many pairs match: asked for by itself, because it may take longer than the first of them."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = ReviewForm(request.GET, dataset=dataset)
    count = listing.count(form.criteria) if form.is_valid() else None
    return render(request, "judging/_review_count.html", {"count": count}, status=200 if count else 400)


@require_safe
@reviewers_only
def pair_next(request: HttpRequest, pk: int) -> HttpResponse:
    """On to the pair that comes after this one in the list of the address, whether or not this one still matches."""
    found = get_object_or_404(Pair.objects.visible_to(request.user).select_related("dataset"), pk=pk)
    form = ReviewForm(request.GET, dataset=found.dataset)
    if not form.is_valid():
        return redirect(f"{reverse('review', args=[found.dataset.slug])}?{form.query}")
    following = listing.next_pair(form.criteria, form.cleaned_data["order"], found.pk)
    if following is not None:
        return redirect(f"{reverse('pair', args=[following])}?{form.query}")
    messages.success(request, "That was the last pair of the list.")
    return redirect("adjudication", found.dataset.slug)


@require_safe
@reviewers_only
def pair(request: HttpRequest, pk: int) -> HttpResponse:
    """One pair, with the list that it was found in at its side."""
    found = get_object_or_404(Pair.objects.visible_to(request.user).with_texts().with_remarks(), pk=pk)
    form = ReviewForm(request.GET, dataset=found.dataset)
    valid = form.is_valid()
    criteria = form.criteria if valid else Criteria(dataset=found.dataset, policy=PRESETS["default"])
    context = {
        "form": form,
        "policy": criteria.policy,
        "reading": reading_of(found, criteria=criteria, with_differences=request.GET.get("diff") == "on"),
        "queue": queue_around(found, criteria=criteria, order=form.cleaned_data["order"]) if valid else None,
        "adjudication_form": AdjudicationForm(),
        "comment_form": CommentForm(),
        "query": form.query,
        "names_hidden": form.names_hidden,
        "pair": found,
        "dataset": found.dataset,
    }
    return render(request, "judging/pair.html", context, status=200 if valid else 400)


@require_POST
@reviewers_only
def verdict_reason(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the reason of one verdict written, and go back to the pair."""
    visible = JudgeRun.objects.visible_to(request.user)
    found = get_object_or_404(Verdict.objects.filter(run__in=visible).select_related("run__judge"), pk=pk)
    try:
        ask_reason(verdict=found, by=request.user)
    except ExplainError as error:
        messages.warning(request, str(error))
    there = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return redirect(there if allowed else reverse("pair", args=[found.pair_id]))
