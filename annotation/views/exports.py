from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.export_forms import ExportForm
from annotation.exporting.formats import FORMATS
from annotation.exporting.making import Export, on_disk
from annotation.exporting.options import ExportError
from annotation.models import Dataset
from annotation.roles import reviewers_only


@reviewers_only
@require_safe
def export_dataset(request: HttpRequest, slug: str) -> HttpResponse | FileResponse:
    """The formats to choose from; with `?format=` the file itself, with its manifest in a zip or alone."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    form = ExportForm(request.GET if "format" in request.GET else None, dataset=dataset)
    if form.is_valid():
        try:
            export = Export(
                dataset=dataset,
                format_name=form.cleaned_data["format"],
                options=form.options(),
                made_by=request.user,
            )
            return _download(export, packed=not form.cleaned_data["alone"])
        except ExportError as error:
            form.add_error(None, str(error))
    context = {"dataset": dataset, "form": form, "formats": list(zip(form["format"], FORMATS.values(), strict=True))}
    return render(request, "annotation/export.html", context, status=400 if form.is_bound else 200)


def _download(export: Export, *, packed: bool) -> FileResponse:
    name = f"{export.dataset.slug}-{export.format.name}.zip" if packed else export.file_name
    content_type = "application/zip" if packed else export.format.content_type
    return FileResponse(on_disk(export, packed=packed), as_attachment=True, filename=name, content_type=content_type)
