"""Prompt templates of judges: all of them, one version, what changed, and writing one with a preview."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from annotation.roles import researchers_only, reviewers_only
from judging.models import Judge, JudgeRun, PromptTemplate
from judging.prompts.asking import CHAT
from judging.prompts.forms import PLACEHOLDERS, PreviewForm, TemplateForm
from judging.prompts.versions import FIELDS, Version, all_versions, change_between, version_named, versions_of


@require_safe
@reviewers_only
def prompt_templates(request: HttpRequest) -> HttpResponse:
    return render(request, "judging/prompt_templates.html", {"templates": all_versions()})


@require_safe
@reviewers_only
def prompt_template(request: HttpRequest, full_name: str) -> HttpResponse:
    """One version: its texts, who asks by it, and what a judge reads of a pair that is chosen."""
    shown = _find(full_name)
    asks = "dataset" in request.GET
    form = PreviewForm(request.GET if asks else None, user=request.user, kind=shown.texts.kind)
    context = {
        "version": shown,
        "preview_form": form,
        "preview": form.preview(shown.texts, name=str(shown)) if asks else None,
    }
    if request.htmx:
        return render(request, "judging/_template_preview.html", context)
    runs = JudgeRun.objects.filter(judge__template=full_name).select_related("judge", "dataset", "job", "created_by")
    context |= {
        "judges": Judge.objects.filter(template=full_name).with_runs(),
        "runs": runs[:100],
        "versions": versions_of(shown.name),
    }
    return render(request, "judging/prompt_template.html", context)


@require_safe
@reviewers_only
def prompt_template_changes(request: HttpRequest, full_name: str) -> HttpResponse:
    """What changed up to this version, from the one before it if nothing else is asked."""
    after = _find(full_name)
    numbers = [each.version for each in versions_of(after.name)]
    earlier = [number for number in numbers if number < after.version]
    if not earlier and "from" not in request.GET:
        messages.info(request, "There is no earlier version to compare with.")
        return redirect(after)
    try:
        before = int(request.GET.get("from", earlier[0] if earlier else 0))
        change = change_between(name=after.name, before=before, after=after.version)
    except (ValueError, PromptTemplate.DoesNotExist) as error:
        raise Http404 from error
    return render(request, "judging/prompt_template_changes.html", {"change": change, "numbers": numbers})


@researchers_only
def prompt_template_new(request: HttpRequest) -> HttpResponse:
    """A new template, empty or filled in from another."""
    start = _find(request.GET["from"]) if "from" in request.GET else None
    kind = start.texts.kind if start else request.GET.get("kind", CHAT)
    if kind not in FIELDS:
        raise Http404
    return _write(request, kind=kind, start=start, earlier=None, newest=None)


@researchers_only
def prompt_template_version(request: HttpRequest, full_name: str) -> HttpResponse:
    """The next version, filled in from this one."""
    start = _find(full_name)
    if start.built_in:
        messages.info(request, f"{start} is built in and gets no other version: give yours a name of its own.")
        return redirect(f"{reverse('prompt_template_new')}?from={start}")
    return _write(request, kind=start.texts.kind, start=start, earlier=start, newest=versions_of(start.name)[0])


def _write(
    request: HttpRequest,
    *,
    kind: str,
    start: Version | None,
    earlier: Version | None,
    newest: PromptTemplate | None,
) -> HttpResponse:
    trying = "preview" in request.POST
    filled: dict[str, object] = dict(start.texts.as_dict()) if start else {}
    filled |= {"newest": newest.version if newest else 0, "about": earlier.about if earlier else ""}
    form = TemplateForm(request.POST or None, kind=kind, earlier=earlier, trying=trying, initial=filled)
    chosen = {name: request.POST.get(name, "") for name in ("dataset", "order", "reasons")}
    preview_form = PreviewForm(request.POST if trying else None, user=request.user, kind=kind, initial=chosen)
    preview = None
    if trying:
        texts = form.texts()
        preview = preview_form.preview(texts, name="preview") if texts else None
    elif form.is_valid() and (made := form.save(by=request.user)):
        messages.success(request, f"{made} is there. Make a judge that asks by it.")
        return redirect(made)
    context = {
        "form": form,
        "kind": kind,
        "earlier": earlier,
        "start": start,
        "newest": newest,
        "number": newest.version + 1 if newest else 1,
        "preview_form": preview_form,
        "preview": preview,
        "writing": True,
        "trying": trying,
        "placeholders": PLACEHOLDERS,
    }
    if trying and request.htmx:
        return render(request, "judging/_template_preview.html", context)
    status = 422 if form.errors and not trying else 200
    return render(request, "judging/prompt_template_write.html", context, status=status)


def _find(full_name: str) -> Version:
    try:
        return version_named(full_name)
    except PromptTemplate.DoesNotExist as error:
        raise Http404 from error
