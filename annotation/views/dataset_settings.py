from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from annotation.dataset_forms import LabelsPerPairForm, RemoveForm
from annotation.dataset_settings import FewerLabelsError, raise_labels_per_pair
from annotation.models import Dataset
from annotation.removal import BusyError, contents_of, remove
from annotation.roles import researchers_only


@researchers_only
def labels_per_pair(request: HttpRequest, slug: str) -> HttpResponse:
    """Want more labels of each pair."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = LabelsPerPairForm(request.POST or None, dataset=dataset)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["labels_per_pair"]
        try:
            job = raise_labels_per_pair(dataset=dataset, labels_per_pair=wanted, by=request.user)
        except FewerLabelsError as error:  # Somebody else has raised it since the page was made.
            messages.error(request, str(error))
            return redirect("labels_per_pair", slug)
        messages.success(request, f"Each pair of {dataset} now takes {wanted} labels.")
        return redirect("job", job.pk) if job else redirect("dataset", slug)
    return render(request, "annotation/labels_per_pair.html", {"dataset": dataset, "form": form})


@researchers_only
def remove_dataset(request: HttpRequest, slug: str) -> HttpResponse:
    """What would be lost with a dataset; and, once its name is typed, the job that removes it."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    contents = contents_of(dataset)
    form = RemoveForm(request.POST or None, dataset=dataset, contents=contents)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(remove(dataset=dataset, known=form.known, by=request.user))
        except BusyError as error:
            messages.error(request, f"Nothing was removed. {error}")
            return redirect("dataset_remove", slug)
    return render(request, "annotation/remove.html", {"dataset": dataset, "contents": contents, "form": form})
