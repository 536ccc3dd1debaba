"""What is done with a list of the review as a whole: kept under a name, taken out as a file, sent to people."""

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.exporting.making import on_disk
from annotation.models import Dataset
from annotation.queueing import QueueError, queue_of, send
from annotation.roles import reviewers_only
from judging.models import SavedFilter
from judging.review.export import ExportAskedForm, export_of
from judging.review.form import ReviewForm
from judging.review.saved_filters import NameForm, SavedFilterError, change, save, shown
from judging.review.selection import pairs_asked


@require_safe
@reviewers_only
def review_export(request: HttpRequest, slug: str) -> HttpResponse | FileResponse:
    """The pairs of the list in the address as a file."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form, asked = ReviewForm(request.GET, dataset=dataset), ExportAskedForm(request.GET)
    if not form.is_valid() or not asked.is_valid():
        context = {"dataset": dataset, "form": form, "export_errors": [w for e in asked.errors.values() for w in e]}
        return render(request, "judging/review.html", context, status=400)
    export = export_of(form.criteria, format_name=asked.cleaned_data["format"], by=request.user)
    name = f"{dataset.slug}-selection{export.format.ending}"
    file = on_disk(export, packed=False)
    return FileResponse(file, as_attachment=True, filename=name, content_type=export.format.content_type)


@require_http_methods(["GET", "HEAD", "POST"])
@reviewers_only
def saved_filters(request: HttpRequest, slug: str) -> HttpResponse:
    """All that the person keeps and what others share; with a POST, the filters of `query` under a name."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    if request.method != "POST":
        filters = shown(dataset=dataset, user=request.user)
        return render(request, "judging/saved_filters.html", {"dataset": dataset, "filters": filters})
    form, query = NameForm(request.POST), request.POST.get("query", "")
    try:
        if not form.is_valid():
            raise SavedFilterError(" ".join(words for errors in form.errors.values() for words in errors))
        saved = save(dataset=dataset, owner=request.user, query=query, **form.cleaned_data)
        messages.success(request, f"The filter “{saved}” is kept.")
    except SavedFilterError as error:
        messages.error(request, str(error))
    # Back to the list as its form understands it, never to an address that somebody else wrote.
    return redirect(f"{reverse('review', args=[slug])}?{ReviewForm.carried(query)}")


@require_POST
@reviewers_only
def saved_filter_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename it, share it, or share it no longer. What is shared is the team's."""
    found = get_object_or_404(SavedFilter.objects.visible_to(request.user).select_related("dataset"), pk=pk)
    form = NameForm(request.POST)
    try:
        if not form.is_valid():
            raise SavedFilterError(" ".join(words for errors in form.errors.values() for words in errors))
        change(saved=found, **form.cleaned_data)
        messages.success(request, f"The filter is called “{found}” and {'shared' if found.shared else 'not shared'}.")
    except SavedFilterError as error:
        messages.error(request, str(error))
    return redirect("saved_filters", found.dataset.slug)


@require_POST
@reviewers_only
def saved_filter_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Only the name and the address go."""
    found = get_object_or_404(SavedFilter.objects.visible_to(request.user).select_related("dataset"), pk=pk)
    found.delete()
    messages.success(request, f"The filter “{found}” is deleted. No pair was touched.")
    return redirect("saved_filters", found.dataset.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@reviewers_only
def review_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Have people label the pairs of a list, or the one pair that is named, next: first how many, then do it."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = ReviewForm(request.GET, dataset=dataset)
    context = {"dataset": dataset, "form": form, "query": request.GET.urlencode()}
    back = reverse("review", args=[slug])
    try:
        ids = pairs_asked(form, request.GET.get("pair", ""))
        if request.method == "POST":
            sent = send(dataset=dataset, pair_ids=ids, known=request.POST.get("known", ""))
            messages.success(request, f"{sent.sent:,} pair{'' if sent.sent == 1 else 's'} will be labelled next.")
            return redirect(f"{reverse('pair', args=ids) if request.GET.get('pair') else back}?{form.query}")
        context["queue"] = queue_of(dataset=dataset, pair_ids=ids)
        return render(request, "judging/review_queue.html", context)
    except QueueError as error:
        return render(request, "judging/review_queue.html", context | {"error": str(error)}, status=400)
