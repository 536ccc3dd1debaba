"""What a person was told: all of it on a page, read one by one or all at once, with or without mail."""

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation import notifications as told

ROWS = 30


@never_cache
@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    page = Paginator(request.user.notifications.all(), ROWS).get_page(request.GET.get("page"))
    refused = request.user.notifications.exclude(mail_error="").filter(mailed_at=None, mail_at=None).first()
    context = {
        "page": page,
        "unread": told.unread_count(request.user.pk),
        "refused": refused,
        "mails": bool(settings.EMAIL_HOST),
    }
    return render(request, "annotation/notifications.html", context)


@require_POST
def notification_open(request: HttpRequest, pk: int) -> HttpResponse:
    """On to the page that it is about; then it is read."""
    found = get_object_or_404(request.user.notifications, pk=pk)
    told.mark_read(person=request.user, pk=pk)
    return redirect(found.path)


@require_POST
def notifications_read(request: HttpRequest) -> HttpResponse:
    """Mark one as read where the form names it, else all."""
    one = request.POST.get("notification", "")
    if one:
        told.mark_read(person=request.user, pk=get_object_or_404(request.user.notifications, pk=_number(one)).pk)
    else:
        told.mark_read(person=request.user)
        messages.success(request, "All are marked as read.")
    return redirect("notifications")


@require_POST
def notification_mail(request: HttpRequest) -> HttpResponse:
    """Turn mail of notifications on or off."""
    wants = "wants_mail" in request.POST
    told.set_wants_mail(person=request.user, wants=wants)
    messages.success(request, "You get notifications by e-mail, too." if wants else "You get no e-mail any more.")
    return redirect("notifications")


def _number(text: str) -> int:
    """Of a row; 0, which no row has, where it is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0
