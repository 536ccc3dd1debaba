"""Guidelines: all revisions, what changed between two, a new one, and another look at earlier labels."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from annotation import guideline_revisions as written
from annotation import rework_rounds
from annotation.dataset_forms import GuidelineForm
from annotation.dataset_settings import add_guideline
from annotation.models import Dataset, Guideline
from annotation.rework_forms import LookAgainForm, TellForm, revision_choices
from annotation.roles import reviewers_only
from jobs.models import Job


@reviewers_only
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    """All revisions. Who researches writes the next one here, and sees it before it is saved."""
    dataset = _dataset(request, slug)
    if request.method == "POST" and not request.user.may_research:
        raise PermissionDenied
    counts = written.label_counts(dataset)
    rows = written.revisions_of(dataset, counts)
    form = GuidelineForm(request.POST or None, initial={"text": rows[0].guideline.text if rows else ""})
    preview = ""
    if request.method == "POST" and form.is_valid():
        if "preview" not in request.POST:
            made = add_guideline(dataset=dataset, text=form.cleaned_data["text"], by=request.user)
            messages.success(request, f"Annotators now see revision {made.number} of the guidelines.")
            return redirect("guidelines", slug)
        preview = form.cleaned_data["text"]
    context = {
        "dataset": dataset,
        "form": form,
        "rows": rows,
        "preview": preview,
        "without": counts.get(rework_rounds.NO_REVISION, 0),
        "next_number": rows[0].guideline.number + 1 if rows else 1,
        "earlier": sum(counts.values()) - rows[0].labels if rows else 0,
    }
    template = "annotation/_guideline_preview.html" if request.htmx else "annotation/guidelines.html"
    return render(request, template, context)


@require_safe
@reviewers_only
def guideline_changes(request: HttpRequest, slug: str) -> HttpResponse:
    """What changed from one revision to another; from the one before to the newest, if nothing else is asked."""
    dataset = _dataset(request, slug)
    numbers = list(dataset.guidelines.values_list("number", flat=True))
    if len(numbers) < 2:
        messages.info(request, "There are no two revisions to compare yet.")
        return redirect("guidelines", slug)
    try:
        before = int(request.GET.get("from", numbers[1]))
        after = int(request.GET.get("to", numbers[0]))
        change = written.change_between(dataset, before=before, after=after)
    except (ValueError, Guideline.DoesNotExist) as error:
        raise Http404 from error
    context = {"dataset": dataset, "change": change, "numbers": numbers}
    return render(request, "annotation/guideline_changes.html", context)


@reviewers_only
def look_again(request: HttpRequest, slug: str) -> HttpResponse:
    """Says how many labels of earlier revisions would go back and to whom; sends them where that is confirmed."""
    dataset = _dataset(request, slug)
    newest = dataset.guidelines.first()
    counts = written.label_counts(dataset)
    revisions = revision_choices(counts, newest=newest.number) if newest else []
    asked = request.POST if request.method == "POST" else request.GET
    form = LookAgainForm(asked if "look" in asked else None, dataset=dataset, revisions=revisions)
    context = {"dataset": dataset, "form": form, "newest": newest, "revisions": revisions}
    if not revisions or not form.is_valid():
        return render(request, "annotation/look_again.html", context, status=422 if form.errors else 200)
    tell = TellForm(request.POST)
    if request.method == "POST" and tell.is_valid():
        try:
            return _send_round(request, form, told=tell.cleaned_data["told"])
        except rework_rounds.ChangedMeanwhileError as error:
            messages.error(request, f"{error} Look at the numbers again and confirm.")
    people = rework_rounds.to_whom(form.asked)
    context |= {"people": people, "total": sum(n for _, n in people), "seed": form.cleaned_data["seed"], "sent": asked}
    return render(request, "annotation/look_again.html", context)


def _send_round(request: HttpRequest, form: LookAgainForm, *, told: int) -> HttpResponse:
    made = rework_rounds.send_round(asked=form.asked, told=told, comment=form.cleaned_data["comment"], by=request.user)
    if isinstance(made, Job):
        return redirect(made)
    messages.success(request, f"Sent {told:,} label{'' if told == 1 else 's'} back for another look.")
    return redirect("reworks", form.dataset.slug)


def _dataset(request: HttpRequest, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
