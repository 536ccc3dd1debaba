"""Auditing labels one at a time: what is shown before the blind choice is committed says nothing of the label."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotation.labeling import in_other_terms
from annotation.roles import labellers_only
from judging.audits import auditing
from judging.audits.forms import BlindForm, OutcomeForm
from judging.audits.pages import blind_context, own_audits, revealed_context
from judging.models import Audit, AuditItem

TAKEN_OVER = "That label was no longer yours: your time for it ran out and somebody else has it. Nothing was saved."
STANDS = "You had already chosen, and have seen the label since: your blind choice stands."


@require_safe
@labellers_only
def audit_own(request: HttpRequest) -> HttpResponse:
    """The audits that this annotator may work on."""
    return render(request, "judging/audit_own.html", {"audits": own_audits(user=request.user)})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@labellers_only
def audit_blind(request: HttpRequest, pk: int) -> HttpResponse:
    """The next pair, without its label. GET leases it, as on the label page; a POST commits the blind choice."""
    audit = _audit(request, pk)
    if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return HttpResponse(status=204)
    form = BlindForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        return _chosen(request, audit, form)
    item = auditing.claim_item(audit=audit, user=request.user)
    if item is not None and item.state == AuditItem.State.REVEALED:
        return redirect("audit_decide", audit.pk, item.pk)
    context = blind_context(audit=audit, item=item, user=request.user, form=form)
    return render(request, "judging/audit_blind.html", context, status=422 if form else 200)


def _chosen(request: HttpRequest, audit: Audit, form: BlindForm) -> HttpResponse:
    item = get_object_or_404(AuditItem, pk=form.item_id, audit=audit)
    if not form.was_shown_to(request.user):
        raise Http404
    choice = in_other_terms(form.cleaned_data["choice"], swapped=item.swapped)
    try:
        new = auditing.choose_blind(item_id=item.pk, user=request.user, choice=choice, seconds=form.active_seconds)
    except auditing.NotYoursError:
        messages.warning(request, TAKEN_OVER)
        return redirect("audit_blind", audit.pk)
    if not new:
        messages.info(request, STANDS)
    return redirect("audit_decide", audit.pk, item.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@labellers_only
def audit_decide(request: HttpRequest, pk: int, item_pk: int) -> HttpResponse:
    """The label beside the auditor's blind choice, once that is committed; a POST decides about the label."""
    audit = _audit(request, pk)
    item = get_object_or_404(AuditItem, pk=item_pk, audit=audit, auditor=request.user)
    if item.state == AuditItem.State.CLAIMED:
        return redirect("audit_blind", audit.pk)
    form = OutcomeForm(request.POST, item=item) if request.method == "POST" else None
    if form is None or not form.is_valid():
        context = revealed_context(audit=audit, item=item, user=request.user, form=form)
        return render(request, "judging/audit_decide.html", context, status=422 if form else 200)
    if not form.was_shown_to(request.user) or form.item_id != item.pk:
        raise Http404
    try:
        auditing.decide(item_id=item.pk, user=request.user, decision=form.decision)
    except auditing.NotYoursError:
        messages.warning(request, TAKEN_OVER)
    return redirect("audit_blind", audit.pk)


def _audit(request: HttpRequest, pk: int) -> Audit:
    return get_object_or_404(Audit.objects.audited_by(request.user).select_related("dataset"), pk=pk)
