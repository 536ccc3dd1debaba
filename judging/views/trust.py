"""How far a run may be trusted: calibrated probabilities, and which pairs it should leave to people."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotation.roles import reviewers_only
from judging.models import JudgeRun
from judging.scores.policy_forms import PolicyChooser
from judging.trust.form import TrustForm
from judging.trust.page import trust_of


@require_safe
@reviewers_only
def trust(request: HttpRequest, pk: int) -> HttpResponse:
    visible = JudgeRun.objects.visible_to(request.user).select_related("judge", "dataset")
    run = get_object_or_404(visible, pk=pk)
    chooser, form = PolicyChooser(request.GET), TrustForm(request.GET)
    valid = form.is_valid() and not chooser.error
    found = trust_of(run=run, policy=chooser.policy, **form.asked) if valid else None
    context = {"run": run, "dataset": run.dataset, "chooser": chooser, "form": form, "trust": found}
    return render(request, "judging/trust.html", context, status=200 if valid else 400)
