"""Labels that are looked at again: the annotator's queue, a reviewer who sends one back, and what became of all."""

from django.contrib import messages
from django.core import signing
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation import onboarding, rework_lists
from annotation import rework as returned
from annotation.models import Dataset, Label, Pair, Rework
from annotation.rework_forms import KeepForm, SendBackForm
from annotation.roles import labellers_only, reviewers_only
from annotation.showing import Showing

NOT_WAITING = "That pair did not wait for you any more, so nothing was changed."
STATES = ("open", "changed", "kept", "withdrawn", "overtaken")


@never_cache
@require_safe
@labellers_only
def rework(request: HttpRequest, slug: str) -> HttpResponse:
    """The annotator's pairs that they are asked to look at again."""
    dataset = get_object_or_404(Dataset.objects.labelled_by(request.user), slug=slug)
    queue = rework_lists.own_queue(request.user, dataset=dataset)
    barrier = onboarding.barrier(user=request.user, dataset=dataset)
    return render(request, "annotation/rework.html", {"dataset": dataset, "queue": queue, "barrier": barrier})


@require_POST
@labellers_only
def rework_keep(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The annotator stays with their label of the pair, having had it before them."""
    dataset = get_object_or_404(Dataset.objects.labelled_by(request.user), slug=slug)
    form = KeepForm(request.POST)
    if not form.is_valid():
        return redirect("label_pair", slug, pk)
    try:
        showing = Showing.of(form.cleaned_data["showing"])
    except signing.BadSignature as error:
        raise Http404 from error
    if (showing.user_id, showing.pair_id) != (request.user.pk, pk):
        raise Http404
    if onboarding.barrier(user=request.user, dataset=dataset):
        messages.warning(request, onboarding.NOTHING_CHANGED)
        return redirect("label", slug)
    if returned.keep(annotator=request.user, pair_id=pk, guideline_id=showing.guideline_id):
        messages.success(request, "Your label stays as it is.")
    else:
        messages.warning(request, NOT_WAITING)
    return redirect(next_address(request, dataset))


def next_address(request: HttpRequest, dataset: Dataset) -> str:
    """The pair that waits longest for another look, else the queue, which says that nothing is left."""
    waiting = returned.waiting_for(request.user, dataset=dataset).values_list("label__pair", flat=True).first()
    return reverse("label_pair", args=[dataset.slug, waiting]) if waiting else reverse("rework", args=[dataset.slug])


@require_POST
@reviewers_only
def send_back(request: HttpRequest, pk: int) -> HttpResponse:
    """A reviewer gives one label back to its annotator, with a comment."""
    labels = Label.objects.filter(pair__in=Pair.objects.visible_to(request.user)).select_related("annotator")
    label = get_object_or_404(labels, pk=pk)
    form = SendBackForm(request.POST)
    address = _pair_address(request, label)
    if not form.is_valid():
        messages.error(request, f"Nothing was sent. {form.errors['comment'][0]}")
        return redirect(address)
    try:
        returned.send_back(label_id=pk, comment=form.cleaned_data["comment"], by=request.user)
    except returned.CannotGoBackError as error:
        messages.error(request, f"Nothing was sent. {error}")
    else:
        messages.success(request, "Sent back. You will be told when the annotator has decided again or kept the label.")
    return redirect(address)


@require_POST
@reviewers_only
def rework_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a label back out of its annotator's queue."""
    visible = Rework.objects.filter(label__pair__in=Pair.objects.visible_to(request.user))
    sent = get_object_or_404(visible.select_related("label"), pk=pk)
    if returned.withdraw(rework=sent):
        messages.success(request, "Withdrawn: the annotator is not asked any more.")
    else:
        messages.info(request, "The annotator has decided already: see below.")
    return redirect(_pair_address(request, sent.label))


@require_safe
@reviewers_only
def reworks(request: HttpRequest, slug: str) -> HttpResponse:
    """All labels of a dataset that were sent back, and what became of them."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    found = Rework.objects.in_dataset(dataset)
    of_round = request.GET.get("round", "")
    if of_round:
        if not of_round.isdecimal():
            raise Http404
        found = found.filter(round=get_object_or_404(dataset.rework_rounds, pk=of_round))
    state = request.GET.get("state", "")
    if state and state not in STATES:
        raise Http404
    rows = rework_lists.of_state(found, state).order_by("-sent_at", "-pk")
    rows = rows.select_related("label__pair", "label__annotator", "sent_by", "round__guideline", "guideline_before")
    context = {
        "dataset": dataset,
        "counts": rework_lists.counts_of(found),
        "page": Paginator(rows, rework_lists.ROWS).get_page(request.GET.get("page")),
        "state": state,
        "round": of_round,
    }
    return render(request, "annotation/reworks.html", context)


def _pair_address(request: HttpRequest, label: Label) -> str:
    query = request.GET.urlencode()
    return reverse("pair", args=[label.pair_id]) + (f"?{query}" if query else "")
