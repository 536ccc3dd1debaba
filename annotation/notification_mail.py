"""Notifications by e-mail. The rows are the truth: a mail server that is away loses nothing.

What is due is claimed by putting off its next try before anything is sent. So a worker that is killed in the middle
leaves it to be tried again, two workers never send the same, and no transaction waits for a mail server. Who is killed
between the server's yes and the note of it sends that mail twice.
"""

import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from annotation.models import Notification, User
from annotation.notifications import may_be_mailed

logger = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(hours=1)
# Of one person's notifications in one mail.
MOST_IN_A_MAIL = 50


def send_due() -> int:
    """Mail what is due, each person's in one mail; how many mails went out.

    A server that does not take mails now ends the round: what waits is tried again later, after longer and longer
    pauses. An address that it will never take is not tried again; the person is told on their page.
    """
    sent = 0
    if not settings.EMAIL_HOST:
        return sent
    server = get_connection()
    try:
        while told := _claim():
            try:
                sent += _send(server, told)
            except OSError as error:
                _note(told, mail_error=_words(error))
                logger.warning("Mail could not be sent and will be tried again: %s", error)
                break
    finally:
        server.close()
    return sent


def wait_after(tries: int) -> timedelta:
    """Until the next try: EMAIL_RETRY_SECONDS, doubled with each try that was in vain, an hour at most."""
    seconds = settings.EMAIL_RETRY_SECONDS * 2.0 ** min(tries - 1, 20)
    return min(timedelta(seconds=seconds), LONGEST_WAIT)


@transaction.atomic
def _claim() -> list[Notification]:
    """All that is due of one person, in the order in which it came; their next try is put off."""
    now = timezone.now()
    due = Notification.objects.select_for_update(skip_locked=True).filter(mail_at__lte=now)
    person = due.order_by("mail_at", "pk").values_list("person", flat=True).first()
    if person is None:
        return []
    claimed = list(due.filter(person=person).order_by("created_at", "pk")[:MOST_IN_A_MAIL])
    for each in claimed:
        each.mail_tries += 1
        each.mail_at = now + wait_after(each.mail_tries)
    Notification.objects.bulk_update(claimed, ["mail_tries", "mail_at"])
    return claimed


def _send(server: BaseEmailBackend, told: list[Notification]) -> bool:
    """Send one person's mail, or leave it where they do not want it any more. Raises OSError to try again later."""
    person = User.objects.get(pk=told[0].person_id)
    if not may_be_mailed(person):
        _note(told, mail_at=None)
        return False
    server.open()  # Nothing if it is open: all mails of a round go through one connection.
    try:
        server.send_messages([_mail(person, told)])
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        # About this mail, not the server: others' go on.
        refused_for_good = isinstance(error, smtplib.SMTPRecipientsRefused) and _is_final(error)
        _note(told, mail_error=_words(error), **({"mail_at": None} if refused_for_good else {}))
        logger.warning("The mail server refused a mail to user %s: %s", person.pk, _words(error))
        return False
    _note(told, mailed_at=timezone.now(), mail_at=None, mail_error="")
    return True


def _mail(person: User, told: list[Notification]) -> EmailMessage:
    subject = told[0].text if len(told) == 1 else f"{len(told)} notifications"
    context = {"person": person, "notifications": told, "site": settings.SITE_URL}
    return EmailMessage(
        subject=f"[Tiebreak] {subject}",
        body=render_to_string("annotation/notification_mail.txt", context),
        to=[person.email],
        headers={"Auto-Submitted": "auto-generated"},
    )


def _note(told: list[Notification], **fields: object) -> None:
    Notification.objects.filter(pk__in=[each.pk for each in told]).update(**fields)


def _is_final(error: smtplib.SMTPRecipientsRefused) -> bool:
    return all(code >= 500 for code, _ in error.recipients.values())


def _words(error: OSError) -> str:
    """What the server said, without the address that it was said of."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error
    else:
        return str(error)
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
