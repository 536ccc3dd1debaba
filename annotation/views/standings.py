"""The people of a dataset, for reviewers: where each stands, and what to do about it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotation import onboarding
from annotation.models import Dataset, Standing, User
from annotation.notifications import notify
from annotation.onboarding_forms import StandingForm
from annotation.roles import reviewers_only
from annotation.standings import standings_of

TOLD = {
    "attempt": "You have another qualification round of {}. {}",
    "go_on": "You may go on labelling {}. {}",
    "pause": "Your labelling of {} is paused. {}",
    "leave_out": "Your labels of {} are left out of gold for now. {}",
    "count_again": "Your labels of {} count in gold again. {}",
}


@require_safe
@reviewers_only
def standings(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    return render(request, "annotation/standings.html", {"dataset": dataset, "people": standings_of(dataset)})


@require_POST
@reviewers_only
def standing_change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    person = get_object_or_404(User, pk=pk, role="annotator")
    form = StandingForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose what to do with this person's standing.")
        return redirect("standings", slug)
    action, note = form.cleaned_data["action"], form.cleaned_data["note"]
    standing, _ = Standing.objects.get_or_create(dataset=dataset, annotator=person)
    if action == "attempt":
        onboarding.give_attempt(standing=standing, by=request.user)
    elif action == "go_on":
        onboarding.let_go_on(standing=standing, by=request.user)
    elif action == "pause":
        onboarding.pause(standing=standing, note=note, by=request.user)
    elif action == "leave_out":
        onboarding.leave_out(standing=standing, note=note, by=request.user)
    else:
        onboarding.count_again(standing=standing, by=request.user)
    told = TOLD[action].format(dataset, note).strip()
    notify(people=[person], text=told, path=reverse("onboarding", args=[slug]))
    messages.success(request, f"{person} was told.")
    return redirect("standings", slug)
