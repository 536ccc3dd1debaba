"""What stands beside the label page: drafts, the last decisions, the keys."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation import assignment, mixing, onboarding, prepared
from annotation.drafts import OvertakenError, keep_draft
from annotation.label_forms import DraftForm
from annotation.models import Dataset
from annotation.roles import labellers_only


@require_POST
@labellers_only
def label_draft(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep what is written so far. Answers 204 with when it was saved, as the page tells it in data-saved.

    409 where the pair is not the annotator's any more, 423 where they may not label now, 412 where they have decided
    it since.
    """
    dataset = _dataset(request, slug)
    form = DraftForm(request.POST, dataset=dataset)
    if not form.is_valid():
        return HttpResponse(status=422)
    said = {"remarks": form.remarks, "decided_at": form.cleaned_data["decided_at"]}
    try:
        saved_at = keep_draft(user=request.user, dataset=dataset, pair_id=form.pair_id, **said)
    except assignment.NoClaimError:
        return HttpResponse(status=423 if onboarding.barrier(user=request.user, dataset=dataset) else 409)
    except OvertakenError:
        return HttpResponse(status=412)
    return HttpResponse(status=204, headers={"Draft-Saved": saved_at.isoformat() if saved_at else ""})


@never_cache
@require_safe
@labellers_only
def label_decisions(request: HttpRequest, slug: str) -> HttpResponse:
    """The last ten decisions, each a link that opens it again."""
    dataset = _dataset(request, slug)
    decisions = mixing.latest_decisions(user=request.user, dataset=dataset)
    template = "annotation/_label_decisions.html" if request.htmx else "annotation/label_decisions.html"
    return render(request, template, {"dataset": dataset, "decisions": decisions})


@require_safe
@labellers_only
def keys(request: HttpRequest) -> HttpResponse:
    """Which key does what, to be changed; the browser keeps it."""
    return render(request, "annotation/keys.html")


def _dataset(request: HttpRequest, slug: str) -> Dataset:
    dataset = prepared.by(Dataset, "slug", slug)
    if dataset is None or not dataset.is_labelled_by(request.user):
        raise Http404
    return dataset
