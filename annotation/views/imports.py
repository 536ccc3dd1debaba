from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from annotation.import_forms import ImportForm, filled_in_from
from annotation.imports import counts_of, import_for_real, problems_as_csv, start_import
from annotation.models import Dataset, Import
from annotation.roles import researchers_only

IMPORTS_A_PAGE = 50
PROBLEMS_A_PAGE = 100


@researchers_only
@require_safe
def import_list(request: HttpRequest) -> HttpResponse:
    """Every file that was brought in, the newest first."""
    sources = Import.objects.select_related("job", "created_by", "dataset")
    page = Paginator(sources, IMPORTS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "annotation/imports.html", {"page": page})


@researchers_only
def import_new(request: HttpRequest) -> HttpResponse:
    """Choose a file and what to do with it. `?dataset=` names the dataset, `?again=` an import to do alike."""
    form = ImportForm(request.POST or None, request.FILES or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        source = start_import(
            file=file,
            file_name=file.name,
            dataset_slug=form.cleaned_data["dataset"],
            options=form.options(),
            created_by=request.user,
        )
        # htmx sends the file so that its progress can be shown; a redirect that it followed would stay in its page.
        there = source.get_absolute_url()
        return HttpResponseClientRedirect(there) if request.htmx else redirect(there)
    datasets = Dataset.objects.visible_to(request.user)
    return render(request, "annotation/import_new.html", {"form": form, "datasets": datasets})


def _initial(request: HttpRequest) -> dict[str, object]:
    again = request.GET.get("again", "")
    if again.isascii() and again.isdecimal():
        return filled_in_from(get_object_or_404(Import, pk=again))
    return {"dataset": request.GET.get("dataset", "")}


@researchers_only
@require_safe
def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """How far an import is; then what it did, or what is wrong with the file."""
    source = get_object_or_404(Import.objects.select_related("job", "created_by", "dataset"), pk=pk)
    problems = Paginator(source.problems.all(), PROBLEMS_A_PAGE).get_page(request.GET.get("page"))
    context = {"source": source, "job": source.job, "counts": counts_of(source), "problems": problems}
    return render(request, "annotation/import.html", context)


@researchers_only
@require_safe
def import_problems(_request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The problems as a CSV file."""
    source = get_object_or_404(Import, pk=pk)
    response = StreamingHttpResponse(problems_as_csv(source), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="import-{source.pk}-problems.csv"'
    return response


@researchers_only
@require_POST
def import_real(request: HttpRequest, pk: int) -> HttpResponse:
    """What was tried out, now in earnest."""
    tried = get_object_or_404(Import, pk=pk)
    try:
        source = import_for_real(tried=tried, created_by=request.user)
    except FileNotFoundError:
        messages.error(request, "The file is gone from the server. Upload it again.")
        return redirect("import", pk)
    return redirect(source)
