"""Training runs: the list, launching one, one of them while it runs and after, several laid over each other."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Dataset
from annotation.roles import researchers_only, reviewers_only
from jobs import logs
from judging.judge_forms import as_json
from training.cards import word_of
from training.comparing import changed, column_of
from training.learnt import counted_before, held_out_of, learnt_of
from training.models import Snapshot, TrainingRun
from training.pages import charts_of, checkpoints_of, command_line, estimate_of, figures_of
from training.repeating import compare_losses
from training.run_forms import NotesForm, TrainingForm, initial_of
from training.runs import TrainingError, continue_training, repeat
from training.views.numbers import number_of

MOST_OVERLAID = 6


@require_safe
@reviewers_only
def training(request: HttpRequest) -> HttpResponse:
    runs = TrainingRun.objects.visible_to(request.user).select_related("snapshot", "job", "created_by")
    tag = request.GET.get("tag", "")
    if tag:
        runs = runs.filter(tags__contains=[tag])
    context = {"runs": runs[:200], "tag": tag, "has_snapshots": Snapshot.objects.whole().exists()}
    return render(request, "training/training.html", context)


@researchers_only
def training_new(request: HttpRequest) -> HttpResponse:
    """The form; it tells what a run would take, measures it, or starts it, as the button says."""
    initial = {name: request.GET[name] for name in ("snapshot", "base_model") if name in request.GET}
    if clone := request.GET.get("clone", ""):
        initial = initial_of(_find(request, number_of(clone)))
    form = TrainingForm(request.POST or None, initial=initial)
    action, estimate, counted = request.POST.get("action", ""), None, None
    if request.method == "POST" and form.is_valid():
        if action != "estimate" and (started := form.start(dry=action == "dry", created_by=request.user)):
            return redirect("training_run", started.pk)
        if action == "estimate":
            given = form.cleaned_data
            counted = counted_before(
                snapshot=given["snapshot"],
                base_model=given["base_model"],
                revision=given["revision"],
                max_length=given["hyperparameters"].max_length,
            )
            estimate = estimate_of(
                base_model=given["base_model"],
                hyperparameters=given["hyperparameters"],
                devices=given["devices"],
                samples=counted.samples if counted else given["snapshot"].count,
            )
    context = {
        "form": form,
        "estimate": estimate,
        "counted": counted,
        "deepspeed": as_json(estimate.deepspeed) if estimate else "",
        "has_snapshots": form.fields["snapshot"].queryset.exists(),
    }
    return render(request, "training/training_new.html", context, status=422 if form.errors else 200)


@require_safe
@reviewers_only
def training_run(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    return _page(request, shown, NotesForm(instance=shown))


def _page(request: HttpRequest, shown: TrainingRun, notes_form: NotesForm) -> HttpResponse:
    attempt = shown.job.attempts.order_by("-number").first() if shown.job else None
    context = _live(request, shown) | {
        "job": shown.job,
        "hyperparameters": [(name, word_of(value)) for name, value in shown.hyperparameters.items()],
        "found": as_json(shown.found),
        "command": command_line(shown.devices, pk=shown.pk),
        "notes_form": notes_form,
        "log": logs.tail(attempt) if attempt else None,
        "may_steer": shown.job is not None and shown.job.may_be_steered_by(request.user),
        "repeated": compare_losses(shown),
    }
    return render(request, "training/training_run.html", context, status=422 if notes_form.errors else 200)


@require_safe
@reviewers_only
def training_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that the page of a live run fetches every few seconds."""
    shown = _find(request, pk)
    if not request.htmx:
        return redirect(shown)
    return render(request, "training/_live.html", _live(request, shown))


def _live(request: HttpRequest, shown: TrainingRun) -> dict[str, object]:
    return {
        "run": shown,
        "learnt": learnt_of(shown),
        "held_out": held_out_of(shown),
        "figures": figures_of(shown),
        "charts": charts_of([shown]),
        "checkpoints": checkpoints_of(shown),
        "answer_sets": Dataset.objects.visible_to(request.user).values_list("slug", flat=True),
    }


@require_safe
@reviewers_only
def training_compare(request: HttpRequest) -> HttpResponse:
    """Runs laid over each other, chosen by their numbers."""
    said = list(dict.fromkeys(map(number_of, request.GET.getlist("run"))))
    asked = said[:MOST_OVERLAID]
    visible = TrainingRun.objects.visible_to(request.user).select_related("snapshot", "job")
    runs = list(visible.filter(pk__in=asked))
    context = {
        "columns": [column_of(run) for run in runs],
        "snapshots_differ": len({run.snapshot_id for run in runs}) > 1,
        "left_out": len(said) - len(asked),
        "all": visible.exclude(dry=True)[:100],
        "asked": asked,
        "charts": charts_of(runs),
        "changed": changed(runs),
    }
    return render(request, "training/training_compare.html", context)


@require_POST
@researchers_only
def training_continue(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    try:
        continue_training(run=shown, created_by=request.user)
    except TrainingError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "The run goes on from its newest checkpoint.")
    return redirect(shown)


@require_POST
@researchers_only
def training_repeat(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    try:
        return redirect(repeat(run=shown, created_by=request.user))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(shown)


@require_POST
@researchers_only
def training_notes(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _find(request, pk)
    form = NotesForm(request.POST, instance=shown)
    if not form.is_valid():
        return _page(request, shown, form)
    form.save()
    messages.success(request, "Notes and tags are saved.")
    return redirect(shown)


def _find(request: HttpRequest, pk: int) -> TrainingRun:
    visible = TrainingRun.objects.visible_to(request.user).select_related("snapshot", "job", "created_by", "repeats")
    return get_object_or_404(visible, pk=pk)
