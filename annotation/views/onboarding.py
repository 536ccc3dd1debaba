"""The way into a dataset, for annotators: practice, qualification, and what came of it."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache

from annotation import onboarding, prepared
from annotation.models import Control, ControlAnswer, Dataset, Standing
from annotation.onboarding_forms import AnswerForm
from annotation.roles import labellers_only


@never_cache
@labellers_only
def onboarding_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Where somebody stands, and what comes next."""
    dataset = _dataset(request, slug)
    standing = onboarding.standing_of(user=request.user, dataset=dataset)
    context = {
        "dataset": dataset,
        "standing": standing,
        "barrier": onboarding.barrier(user=request.user, dataset=dataset),
        "practice": onboarding.step_of(user=request.user, dataset=dataset, use=Control.Use.PRACTICE),
        "round": onboarding.step_of(
            user=request.user, dataset=dataset, use=Control.Use.QUALIFICATION, attempt=standing.attempt
        ),
        "result": onboarding.result_of(standing) if standing.state != Standing.State.LEARNING else None,
        "guideline": dataset.guidelines.first(),
    }
    return render(request, "annotation/onboarding.html", context)


@never_cache
@labellers_only
def practice(request: HttpRequest, slug: str) -> HttpResponse:
    """The next practice pair. Its explanation comes with the answer."""
    dataset = _dataset(request, slug)
    step = onboarding.step_of(user=request.user, dataset=dataset, use=Control.Use.PRACTICE)
    if step.next is None:
        return redirect("onboarding", slug)
    swapped = onboarding.is_swapped(user=request.user, control=step.next, attempt=1)
    form = AnswerForm(request.POST or None)
    if request.method == "POST" and _is_for(request, step.next) and form.is_valid():
        choice, seconds = form.chosen(swapped=swapped), form.cleaned_data["seconds"]
        onboarding.answer_practice(
            user=request.user, control=step.next, choice=choice, swapped=swapped, seconds=seconds
        )
        return redirect("practice_answer", slug, step.next.pk)
    return render(request, "annotation/control.html", _context(dataset, step, step.next, swapped, form))


@never_cache
@labellers_only
def practice_answer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """An answered practice pair with its right answer and why."""
    dataset = _dataset(request, slug)
    answers = ControlAnswer.objects.filter(annotator=request.user, control__use=Control.Use.PRACTICE)
    answer = get_object_or_404(answers.select_related("control"), control=pk, control__pair__dataset=dataset)
    step = onboarding.step_of(user=request.user, dataset=dataset, use=Control.Use.PRACTICE)
    context = _context(dataset, step, answer.control, answer.shown_swapped, AnswerForm())
    return render(request, "annotation/control.html", context | {"answer": answer})


@never_cache
@labellers_only
def qualification(request: HttpRequest, slug: str) -> HttpResponse:
    """The next pair of the round; after the last one, the result."""
    dataset = _dataset(request, slug)
    standing = onboarding.standing_of(user=request.user, dataset=dataset)
    step = onboarding.step_of(
        user=request.user, dataset=dataset, use=Control.Use.QUALIFICATION, attempt=standing.attempt
    )
    practised = onboarding.step_of(user=request.user, dataset=dataset, use=Control.Use.PRACTICE).finished
    if standing.state != Standing.State.LEARNING or step.next is None or not practised:
        return redirect("onboarding", slug)
    swapped = onboarding.is_swapped(user=request.user, control=step.next, attempt=standing.attempt)
    form = AnswerForm(request.POST or None)
    if request.method == "POST" and _is_for(request, step.next) and form.is_valid():
        choice, seconds = form.chosen(swapped=swapped), form.cleaned_data["seconds"]
        onboarding.answer_qualification(
            user=request.user, control=step.next, choice=choice, swapped=swapped, seconds=seconds
        )
        return redirect("qualification", slug)
    return render(request, "annotation/control.html", _context(dataset, step, step.next, swapped, form))


def _dataset(request: HttpRequest, slug: str) -> Dataset:
    dataset = prepared.by(Dataset, "slug", slug)
    if dataset is None or not dataset.is_labelled_by(request.user):
        raise Http404
    return dataset


def _is_for(request: HttpRequest, control: Control) -> bool:
    """A second click on the answer of the pair before is none of this one."""
    return request.POST.get("control") == str(control.pk)


def _context(
    dataset: Dataset, step: onboarding.Step, control: Control, swapped: bool, form: AnswerForm
) -> dict[str, object]:
    pair = control.pair
    left, right = (pair.response_2, pair.response_1) if swapped else (pair.response_1, pair.response_2)
    said = {"dataset": dataset, "step": step, "control": control, "pair": pair, "form": form, "swapped": swapped}
    return said | {"left": left.text, "right": right.text, "guideline": dataset.guidelines.first()}
