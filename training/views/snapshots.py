"""Snapshots: the list, making one, and one of them with what sets it apart from another."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from annotation.roles import researchers_only, reviewers_only
from training.cards import word_of
from training.models import Snapshot
from training.run_forms import CandidateSnapshotForm, JudgeSnapshotForm
from training.snapshots import differences, first_rows
from training.views.numbers import number_of

FORMS = {Snapshot.Purpose.JUDGE: JudgeSnapshotForm, Snapshot.Purpose.CANDIDATE: CandidateSnapshotForm}


@require_safe
@reviewers_only
def snapshots(request: HttpRequest) -> HttpResponse:
    found = Snapshot.objects.visible_to(request.user).select_related("job", "created_by")
    return render(request, "training/snapshots.html", {"snapshots": found})


@researchers_only
def snapshot_new(request: HttpRequest) -> HttpResponse:
    """A form, filled in with the recipe of another one (`like`) or what a page that leads here knows."""
    like = Snapshot.objects.visible_to(request.user).filter(pk=number_of(request.GET.get("like", ""))).first()
    purpose = like.purpose if like else request.GET.get("purpose", Snapshot.Purpose.JUDGE)
    purpose = purpose if purpose in FORMS else Snapshot.Purpose.JUDGE
    initial = {name: request.GET[name] for name in ("run", "dataset") if name in request.GET}
    if like:
        initial = like.recipe | {"override": like.override}
    form = FORMS[Snapshot.Purpose(purpose)](request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and (made := form.make(created_by=request.user)):
        return redirect("snapshot", made.pk)
    context = {"form": form, "purpose": purpose, "purposes": Snapshot.Purpose.choices}
    return render(request, "training/snapshot_new.html", context, status=422 if form.errors else 200)


@require_safe
@reviewers_only
def snapshot(request: HttpRequest, pk: int) -> HttpResponse:
    visible = Snapshot.objects.visible_to(request.user).select_related("job", "created_by")
    shown = get_object_or_404(visible, pk=pk)
    others = visible.whole().filter(purpose=shown.purpose).exclude(pk=pk)
    said = request.GET.get("other", "")
    other = next((each for each in others if str(each.pk) == said), None) if shown.is_whole else None
    context = {
        "snapshot": shown,
        "recipe": [(name, word_of(value)) for name, value in shown.recipe.items() if name != "kind"],
        "job": shown.job,
        "others": others,
        "other": other,
        "differences": differences(shown, other) if other else None,
        "rows": first_rows(shown),
        "runs": shown.runs.select_related("job"),
        "may_steer": shown.job is not None and shown.job.may_be_steered_by(request.user),
    }
    return render(request, "training/snapshot.html", context, status=400 if said and other is None else 200)
