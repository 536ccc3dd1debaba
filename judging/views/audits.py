"""Audits as reviewers and researchers see them: drawing one, its numbers, its items, its files."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Dataset
from annotation.roles import reviewers_only
from judging.audits import asking, auditing
from judging.audits.files import EXPORTS, snapshot
from judging.audits.forms import AuditForm
from judging.audits.items import ItemFilter, page_of
from judging.audits.numbers import AuditNumbers
from judging.audits.page_forms import WidthForm, listed
from judging.judge_forms import as_json
from judging.models import Audit


@require_safe
@reviewers_only
def audits(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    return render(request, "judging/audits.html", {"dataset": dataset, "audits": listed(dataset)})


@reviewers_only
def audit_new(request: HttpRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    like = _like(request, dataset)
    initial = like.as_asked if like else request.GET.dict()
    form = AuditForm(request.POST or None, dataset=dataset, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid() and (made := form.ask()):
        if made.is_drawn:
            n = made.items.count()
            messages.success(request, f"Drawn for auditors: {n:,} label{'' if n == 1 else 's'}.")
        return redirect("audit", made.pk)
    context = {"dataset": dataset, "form": form, "has_runs": form.fields["run"].queryset.exists()}
    return render(request, "judging/audit_new.html", context, status=422 if form.errors else 200)


@require_safe
@reviewers_only
def audit(request: HttpRequest, pk: int) -> HttpResponse:
    """The numbers of an audit, each of which leads to its items; before, how far the draw is."""
    found = _find(request, pk)
    if not found.is_drawn:
        context = {"audit": found, "dataset": found.dataset, "job": found.job}
        context["may_steer"] = found.job.may_be_steered_by(request.user)
        return render(request, "judging/audit_drawing.html", context)
    form = WidthForm(request.GET)
    numbers = AuditNumbers(found)
    context = {
        "audit": found,
        "dataset": found.dataset,
        "numbers": numbers,
        "form": form,
        "needed": form.needed(numbers),
        "recipe": as_json(found.recipe),
        "finds_nobody": auditing.finds_nobody(audit=found),
    }
    return render(request, "judging/audit.html", context, status=200 if form.is_valid() else 400)


@require_safe
@reviewers_only
def audit_items(request: HttpRequest, pk: int) -> HttpResponse:
    found = _find_drawn(request, pk)
    form = ItemFilter(request.GET, audit=found)
    page = page_of(form) if form.is_valid() else None
    context = {"audit": found, "dataset": found.dataset, "form": form, "page": page}
    return render(request, "judging/audit_items.html", context, status=200 if page else 400)


@require_safe
@reviewers_only
def audit_export(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    found = _find_drawn(request, pk)
    name = request.GET.get("format", "jsonl")
    if name not in EXPORTS:
        raise Http404(f"There is no export format {name}: choose jsonl or csv.")
    write, content_type = EXPORTS[name]
    response = StreamingHttpResponse(write(found), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{found.dataset.slug}-audit-{found.pk}.{name}"'
    return response


@require_safe
@reviewers_only
def audit_snapshot(request: HttpRequest, pk: int) -> HttpResponse:
    """Corrections, exclusions and weights for training, as JSON."""
    found = _find_drawn(request, pk)
    response = HttpResponse(as_json(snapshot(found)), content_type="application/json")
    name = f"{found.dataset.slug}-audit-{found.pk}-training.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_POST
@reviewers_only
def audit_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close it, or with `reopen` open it again."""
    found = _find_drawn(request, pk)
    if "reopen" in request.POST:
        auditing.reopen(audit=found)
        messages.success(request, "The audit is open again.")
    else:
        auditing.close(audit=found)
        messages.success(request, "The audit is closed: nobody is given any of its labels. Its numbers stay.")
    return redirect("audit", found.pk)


@require_POST
@reviewers_only
def audit_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove an audit whose labels could not be drawn."""
    found = _find(request, pk)
    if not asking.discard(audit=found):
        messages.warning(request, "That audit is drawn, or being drawn. Close it, or cancel the draw first.")
        return redirect("audit", found.pk)
    messages.success(request, "The audit is removed. Nothing had been drawn of it.")
    return redirect("audits", found.dataset.slug)


def _like(request: HttpRequest, dataset: Dataset) -> Audit | None:
    """The audit of this dataset that another is asked for like."""
    like = request.GET.get("like", "")
    return Audit.objects.visible_to(request.user).filter(dataset=dataset, pk=like).first() if like.isdecimal() else None


def _find(request: HttpRequest, pk: int) -> Audit:
    visible = Audit.objects.visible_to(request.user).select_related("dataset", "run__judge", "created_by", "job")
    return get_object_or_404(visible, pk=pk)


def _find_drawn(request: HttpRequest, pk: int) -> Audit:
    found = _find(request, pk)
    if not found.is_drawn:
        raise Http404("The labels of this audit are not drawn yet. Its page tells how far that is.")
    return found
