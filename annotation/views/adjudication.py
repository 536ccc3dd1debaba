"""What reviewers write about a pair. The page itself is judging's; these are its two forms."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from annotation import adjudication, mentions
from annotation.adjudication_forms import AdjudicationForm, CommentForm
from annotation.models import Pair
from annotation.models.corpus import PairQuerySet
from annotation.roles import reviewers_only


@require_POST
@reviewers_only
def adjudicate(request: HttpRequest, pk: int) -> HttpResponse:
    pair = _pair(request, pk)
    form = AdjudicationForm(request.POST)
    if not form.is_valid():
        return _fragment(request, pair, "annotation/_adjudication.html", {"adjudication_form": form}, status=422)
    adjudication.adjudicate(pair=pair, by=request.user, **form.cleaned_data)
    if request.GET.get("desk") == "on":
        return _on_to_the_next(request, pair)
    notice = f"Adjudicated: {form.cleaned_data['choice'].label}."
    return _done(request, pair, "annotation/_adjudication.html", {"adjudication_form": AdjudicationForm()}, notice)


@require_POST
@reviewers_only
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    pair = _pair(request, pk)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _fragment(request, pair, "annotation/_comments.html", {"comment_form": form}, status=422)
    adjudication.comment(pair=pair, author=request.user, text=form.cleaned_data["text"])
    notice = f"Comment added. {_mentions(request, form.cleaned_data['text'])}".strip()
    return _done(request, pair, "annotation/_comments.html", {"comment_form": CommentForm()}, notice)


def _mentions(request: HttpRequest, text: str) -> str:
    """Who was told, and who was not, in words."""
    mentioned = mentions.mentioned_in(text)
    told = [str(person) for person in mentioned.told if person != request.user]
    words = [f"Told: {', '.join(told)}."] if told else []
    if mentioned.not_told:
        words.append(f"Not told, because they may not read comments: {', '.join(mentioned.not_told)}.")
    return " ".join(words)


def _pairs(request: HttpRequest) -> PairQuerySet:
    return Pair.objects.visible_to(request.user).select_related("dataset")


def _pair(request: HttpRequest, pk: int) -> Pair:
    return get_object_or_404(_pairs(request), pk=pk)


def _on_to_the_next(request: HttpRequest, pair: Pair) -> HttpResponse:
    address = f"{reverse('pair_next', args=[pair.pk])}?{request.GET.urlencode()}"
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _done(request: HttpRequest, pair: Pair, template: str, context: dict, notice: str) -> HttpResponse:
    """The renewed part of the page for htmx, which then asks for gold again; for a plain form, the way to the page."""
    if not request.htmx:
        messages.success(request, notice)
        query = request.GET.urlencode()
        return redirect(reverse("pair", args=[pair.pk]) + (f"?{query}" if query else ""))
    response = _fragment(request, pair, template, context | {"notice": notice})
    response.headers["HX-Trigger"] = "said"
    return response


def _fragment(request: HttpRequest, pair: Pair, template: str, context: dict, status: int = 200) -> HttpResponse:
    """A part of the review page; a whole page with nothing else where there is no htmx to put it into its place."""
    context |= {
        # Read again, with what has just been written.
        "pair": _pairs(request).with_remarks().get(pk=pair.pk),
        "query": request.GET.urlencode(),
        "names_hidden": request.GET.get("names") == "hidden",
        "part": template,
    }
    return render(request, template if request.htmx else "annotation/review_part.html", context, status=status)
