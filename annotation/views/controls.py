"""Which pairs of a dataset are control pairs."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from annotation import controls
from annotation.models import Control, Dataset
from annotation.onboarding_forms import ControlFileForm, ControlForm
from annotation.roles import researchers_only


@researchers_only
def control_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Those there are, pairs that would do, and a form to choose one."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    initial = {name: request.GET[name] for name in ("pair", "choice") if name in request.GET}
    form = ControlForm(request.POST or None, dataset=dataset, initial=initial)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        controls.set_control(
            pair=said["pair"], use=said["use"], choice=form.chosen, explanation=said["explanation"], by=request.user
        )
        messages.success(request, f"Pair {said['pair'].external_id} is a control pair now.")
        return redirect("controls", slug)
    return render(request, "annotation/controls.html", _context(dataset, form, ControlFileForm()))


@require_POST
@researchers_only
def control_import(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = ControlFileForm(request.POST, request.FILES)
    problems: list[tuple[int, str]] = []
    if form.is_valid():
        try:
            made = controls.import_controls(dataset=dataset, lines=form.cleaned_data["file"], by=request.user)
        except controls.ControlFileError as error:
            problems = error.problems
        else:
            messages.success(request, f"{made} control pairs were set.")
            return redirect("controls", slug)
    context = _context(dataset, ControlForm(dataset=dataset), form) | {"problems": problems}
    return render(request, "annotation/controls.html", context, status=422)


@require_POST
@researchers_only
def control_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    visible = Dataset.objects.visible_to(request.user)
    control = get_object_or_404(Control.objects.select_related("pair__dataset"), pk=pk, pair__dataset__in=visible)
    controls.withdraw(control=control)
    messages.success(request, f"Pair {control.pair.external_id} is shown to nobody any more as a control pair.")
    return redirect("controls", control.pair.dataset.slug)


def _context(dataset: Dataset, form: ControlForm, file_form: ControlFileForm) -> dict[str, object]:
    return {
        "dataset": dataset,
        "form": form,
        "file_form": file_form,
        "controls": controls.controls_of(dataset),
        "suggestions": controls.suggestions(dataset),
    }
