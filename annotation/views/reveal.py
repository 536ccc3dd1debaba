"""What others said of a pair, for an annotator who has decided it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from annotation import onboarding, prepared, reveal
from annotation.models import Dataset, Pair
from annotation.reveal_forms import ReconsiderForm
from annotation.roles import labellers_only


@never_cache
@labellers_only
def reveal_pair(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A GET asks whether, or shows what was revealed before; a POST locks the decision, or says what one thinks now.

    There is no such page where the dataset does not reveal (any more), though the decision may be fixed: its annotator
    may have seen one judge's verdict in an audit, or what others said of the same responses in another dataset.
    """
    dataset = prepared.by(Dataset, "slug", slug)
    if dataset is None or not dataset.is_labelled_by(request.user):
        raise Http404
    own = reveal.decided(user=request.user, dataset=dataset, pair_id=pk)
    if own is None or not dataset.reveals:
        raise Http404
    form = ReconsiderForm(request.POST if "choice" in request.POST else None)
    if request.method == "POST" and onboarding.barrier(user=request.user, dataset=dataset):
        messages.warning(request, onboarding.NOTHING_CHANGED)
        return redirect("label", slug)
    if request.method == "POST" and own.revealed_at is None:
        reveal.reveal(user=request.user, dataset=dataset, pair_id=pk)
        return redirect("reveal_pair", slug, pk)
    if request.method == "POST" and own.revealed_at and form.is_valid():
        choice = form.chosen(swapped=reveal.was_swapped(own))
        words = form.cleaned_data["rationale"]
        reveal.reconsider(user=request.user, dataset=dataset, pair_id=pk, choice=choice, rationale=words)
        messages.success(request, "What you think now is kept beside your decision, which stays as it was.")
        return redirect("reveal_pair", slug, pk)
    return render(request, "annotation/reveal.html", _context(dataset, own, pk, form))


def _context(dataset: Dataset, own: reveal.Decided, pk: int, form: ReconsiderForm) -> dict[str, object]:
    pair = Pair.objects.select_related("prompt", "response_1", "response_2").get(pk=pk)
    swapped = reveal.was_swapped(own)
    left, right = (pair.response_2, pair.response_1) if swapped else (pair.response_1, pair.response_2)
    said = reveal.revealed(own=own, pair_id=pk, swapped=swapped) if own.revealed_at else None
    sides = {"left": left.text, "right": right.text}
    return {"dataset": dataset, "pair": pair, "own": own, "said": said, "form": form} | sides
