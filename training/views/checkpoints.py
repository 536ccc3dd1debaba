"""What becomes of a checkpoint: a judge, or a generator of answers."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Dataset
from annotation.roles import researchers_only, reviewers_only
from training.cards import card_of
from training.models import Checkpoint, TrainingRun
from training.promotion import ask_for_answers, promote
from training.run_forms import AnswersForm
from training.runs import TrainingError


@require_safe
@reviewers_only
def checkpoint_card(request: HttpRequest, pk: int) -> HttpResponse:
    """Made from the rows, as the one beside the weights was: those may lie on the workers alone."""
    visible = TrainingRun.objects.visible_to(request.user)
    checkpoint = get_object_or_404(Checkpoint.objects.select_related("run__snapshot").filter(run__in=visible), pk=pk)
    context = {"checkpoint": checkpoint, "card": card_of(checkpoint.run, checkpoint)}
    return render(request, "training/checkpoint_card.html", context)


@require_POST
@researchers_only
def checkpoint_promote(request: HttpRequest, pk: int) -> HttpResponse:
    """A judge, asked about the test sets that its run was examined on; one click."""
    checkpoint = _find(pk)
    test_sets = list(checkpoint.run.test_sets.all())
    try:
        judge = promote(checkpoint=checkpoint, test_sets=test_sets, by=request.user)
    except TrainingError as error:
        messages.error(request, str(error))
        return redirect(checkpoint.run)
    asked = (
        "and is asked about the run's test sets in both orders."
        if test_sets
        else "and is asked about nothing yet: the run had no test sets. Start a run of it here."
    )
    messages.success(request, f"{judge} is a judge now, {asked}")
    return redirect(judge)


@require_POST
@researchers_only
def checkpoint_answers(request: HttpRequest, pk: int) -> HttpResponse:
    checkpoint = _find(pk)
    form = AnswersForm(request.POST, datasets=Dataset.objects.visible_to(request.user))
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(errors))
        return redirect(checkpoint.run)
    try:
        job = ask_for_answers(checkpoint=checkpoint, by=request.user, **form.cleaned_data)
    except TrainingError as error:
        messages.error(request, str(error))
        return redirect(checkpoint.run)
    return redirect(job)


def _find(pk: int) -> Checkpoint:
    return get_object_or_404(Checkpoint.objects.select_related("run"), pk=pk)
