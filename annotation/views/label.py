"""The label page: one pair at a time, from a slot that is the annotator's for half an hour.

GET takes a lease on the next pair. It may, because it is idempotent: until the annotator labels or skips, every GET
leads to the same pair, and a lease that nobody uses runs out by itself. What only looks ahead (HEAD, a browser's
prefetch) takes none.
"""

from contextlib import suppress

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from annotation import assignment, failing, labeling, mixing, onboarding, prepared
from annotation import rework as returned
from annotation.adjudication import AdjudicatedError
from annotation.drafts import OvertakenError, keep_draft, put_back
from annotation.label_forms import DecisionForm, SkipForm
from annotation.label_page import page_context
from annotation.models import Dataset, Label, Slot
from annotation.pools import Stop, stop_for
from annotation.progress import count_anew, own_progress
from annotation.reveal import NO_CHANGE, RevealedError
from annotation.roles import labellers_only
from annotation.views.rework import next_address

STILL_FREE = (
    "That pair had been kept for you as long as it could be. Nobody else had taken your place, "
    "so your label is saved as usual."
)
TOO_LATE = (
    "That pair was no longer yours: it had been kept for you as long as it could be, and others have filled its last "
    "place. Your decision is kept and exported with the pair, but it counts for nothing. Go on with the pair below."
)
MORE_THAN_ASKED = (
    "That pair was no longer yours: it had been kept for you as long as it could be, and you have given as many labels "
    "as you were asked for. Your decision is kept and exported with the pair, but it counts for nothing."
)
NOT_YOURS = (
    "You no longer label that dataset. What you sent last is kept and exported with the pair, but it counts for "
    "nothing. If that is a mistake, ask a researcher."
)
NOT_NOW = (
    "You may not label this dataset at the moment. What you sent last is kept and exported with the pair, but it "
    "counts for nothing."
)
STANDS = (
    "You may not label this dataset at the moment, so your earlier decision of that pair stands. What you wrote about "
    "it is kept as a draft."
)
NO_LONGER = (
    "You no longer label {dataset}. All labels that you gave are kept. "
    "If that is a mistake, ask a researcher of your team."
)
PASSED_ON = (
    "You had passed that pair on, or have since seen what others said of the same responses, so this decision was not "
    "saved. Go on with the pair below."
)
TWICE = "You had already decided that pair, and the first decision stands. Undo opens it again."
CHANGED = "Your new decision is saved. The earlier one is kept in the history."
DECIDED = (
    "A reviewer has decided that pair since, so your label of it stays as it was and what you sent now was not saved. "
    "If it was a slip, tell a reviewer: they can send the label back to you. Go on with the pair below."
)
NOT_OPEN = "That pair was not open for you any more, so there was nothing to pass on."


@require_safe
@labellers_only
def label_any(request: HttpRequest) -> HttpResponse:
    """To the dataset that the annotator works in."""
    dataset = assignment.dataset_to_label(user=request.user)
    return redirect("label", dataset.slug) if dataset else redirect("home")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@labellers_only
def label(request: HttpRequest, slug: str) -> HttpResponse:
    """The next pair; a POST decides the one that was shown."""
    dataset = prepared.by(Dataset, "slug", slug)
    if dataset is None:
        raise Http404
    if not dataset.is_labelled_by(request.user):
        return _decide_without_being_asked(request, dataset)
    if request.method == "POST":
        return _decide(request, dataset)
    if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return HttpResponse(status=204)
    return _next(request, dataset, with_differences="differences" in request.GET)


def _decide(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    form = DecisionForm(request.POST, dataset=dataset)
    if not form.is_valid():
        return _next(request, dataset, form=form, status=422)
    if not form.was_shown_to(request.user):
        raise Http404
    if onboarding.is_paused(user=request.user, dataset=dataset):
        # A pause takes their pair back; this one they were given as the pause came.
        assignment.release(user=request.user, dataset=dataset)
    try:
        new = mixing.record(user=request.user, dataset=dataset, pair_id=form.pair_id, decision=form.decision)
    except assignment.NoClaimError:
        return _decide_late(request, dataset, form)
    if not new:
        messages.info(request, TWICE)
    _look(request, dataset, form)
    return _go_on(request, dataset, form=form)


def _look(request: HttpRequest, dataset: Dataset, form: DecisionForm) -> None:
    failing.look(user=request.user, dataset=dataset)
    if failing.is_too_fast(user=request.user, dataset=dataset, seconds=form.decision.seconds):
        messages.info(request, failing.SLOW_DOWN)


def _decide_late(request: HttpRequest, dataset: Dataset, form: DecisionForm) -> HttpResponse:
    """The claim was gone when the decision came: nothing of it is lost."""
    late = {"user": request.user, "pair_id": form.pair_id, "decision": form.decision}
    if labeling.was_passed_on(user=request.user, pair_id=form.pair_id):
        messages.warning(request, PASSED_ON)
        return _next(request, dataset, status=409)
    if onboarding.barrier(user=request.user, dataset=dataset):
        labeling.keep_apart(**late)
        put_back(user=request.user, pair_id=form.pair_id, remarks=form.remarks, swapped=form.decision.swapped)
        messages.warning(request, NOT_NOW)
    elif stop_for(user=request.user, dataset=dataset) is Stop.QUOTA:
        labeling.keep_apart(**late)
        messages.warning(request, MORE_THAN_ASKED)
    elif mixing.record_late(dataset=dataset, shown_at=form.shown_at, **late):
        count_anew(user=request.user, dataset=dataset)
        messages.info(request, STILL_FREE)
    else:
        messages.warning(request, TOO_LATE)
    return _go_on(request, dataset, form=form)


def _decide_without_being_asked(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Somebody who was taken off the dataset with a pair before them: what they send is kept."""
    if request.method != "POST" and stop_for(user=request.user, dataset=dataset):
        messages.info(request, NO_LONGER.format(dataset=dataset))
        return redirect("home")
    form = DecisionForm(request.POST, dataset=dataset)
    if request.method != "POST" or (form.is_valid() and not form.was_shown_to(request.user)):
        raise Http404
    if form.is_valid() and Label.objects.filter(pair=form.pair_id, annotator=request.user).exists():
        messages.info(request, TWICE)
    elif form.is_valid():
        labeling.keep_apart(user=request.user, pair_id=form.pair_id, decision=form.decision)
        put_back(user=request.user, pair_id=form.pair_id, remarks=form.remarks, swapped=form.decision.swapped)
        messages.warning(request, NOT_YOURS)
    elif stop_for(user=request.user, dataset=dataset):
        # Not whole, as when a reason has come to be required: what they wrote is in their draft.
        messages.warning(request, NO_LONGER.format(dataset=dataset))
    else:
        raise Http404
    return HttpResponseClientRedirect(reverse("home")) if request.htmx else redirect("home")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@labellers_only
def label_pair(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """An earlier decision, open again. It stands until a POST brings another."""
    dataset = _dataset(request, slug)
    own = own_progress(user=request.user, dataset=dataset) if dataset.control_percent else None
    slot = mixing.own_slot(user=request.user, dataset=dataset, pair_id=pk, progress=own)
    if slot is None:
        raise Http404
    if slot.state == Slot.State.CLAIMED:
        return redirect("label", slug)
    barrier = onboarding.barrier(user=request.user, dataset=dataset)
    if barrier and request.method != "POST":
        return redirect("label", slug)
    form = DecisionForm(request.POST, dataset=dataset) if request.method == "POST" else None
    if form is None or not form.is_valid():
        differences = "differences" in request.GET
        return _page(request, dataset, slot, form=form, with_differences=differences, status=422 if form else 200)
    if form.pair_id != pk or not form.was_shown_to(request.user):
        raise Http404
    if barrier:
        label = mixing.label_in(user=request.user, slot=slot)
        with suppress(OvertakenError):
            kept = {"remarks": form.remarks, "decided_at": label and label.changed_at}
            keep_draft(user=request.user, dataset=dataset, pair_id=pk, **kept)
        messages.warning(request, STANDS)
        return _next(request, dataset, status=409)
    asked = returned.open_rework(annotator=request.user, pair_id=pk)
    try:
        mixing.change(user=request.user, dataset=dataset, pair_id=pk, decision=form.decision)
    except AdjudicatedError:
        messages.warning(request, DECIDED)
        return _next(request, dataset, status=409)
    except RevealedError:
        messages.warning(request, NO_CHANGE)
        return _next(request, dataset, status=409)
    messages.success(request, CHANGED)
    if asked:
        address = next_address(request, dataset)
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    return _go_on(request, dataset, form=form)


@require_POST
@labellers_only
def label_skip(request: HttpRequest, slug: str) -> HttpResponse:
    """Pass the pair on, with a reason."""
    dataset = _dataset(request, slug)
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _next(request, dataset, skip_form=form, status=422)
    pair_id = form.cleaned_data["pair"]
    try:
        mixing.skip(user=request.user, dataset=dataset, pair_id=pair_id, reason=form.written_reason)
    except assignment.NoClaimError:
        messages.warning(request, NOT_OPEN)
        return _next(request, dataset, status=409)
    return _go_on(request, dataset)


def _dataset(request: HttpRequest, slug: str) -> Dataset:
    dataset = prepared.by(Dataset, "slug", slug)
    if dataset is None or not dataset.is_labelled_by(request.user):
        raise Http404
    return dataset


def _go_on(request: HttpRequest, dataset: Dataset, *, form: DecisionForm | None = None) -> HttpResponse:
    """After a success: the next pair at once for htmx, by a redirect for a plain form."""
    if not request.htmx:
        return redirect("label", dataset.slug)
    response = _next(request, dataset, seen=form)
    response.headers["HX-Replace-Url"] = reverse("label", args=[dataset.slug])
    return response


def _next(request: HttpRequest, dataset: Dataset, **page: object) -> HttpResponse:
    if barrier := onboarding.barrier(user=request.user, dataset=dataset):
        return _page(request, dataset, None, barrier=barrier, **page)
    return _page(request, dataset, assignment.claim_next(user=request.user, dataset=dataset), **page)


def _page(
    request: HttpRequest, dataset: Dataset, slot: Slot | None, *, status: int = 200, **parts: object
) -> HttpResponse:
    """One template: the whole page, or for htmx the part of it that changes from pair to pair."""
    template = "annotation/_label_swap.html" if request.htmx else "annotation/label.html"
    context = page_context(user=request.user, dataset=dataset, slot=slot, **parts)
    return render(request, template, context, status=status)
