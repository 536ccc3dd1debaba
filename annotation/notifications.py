"""What people are told: a word each, with the page that it is about. Mail of it is annotation.notification_mail's."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from annotation import prepared
from annotation.models import Notification, Role, User

# What is read here within this time is not mailed, and what comes together is one mail.
MAIL_AFTER = timedelta(minutes=1)
# The bell says "99+" beyond.
MOST_COUNTED = 100

# A partial index holds what is unread, so this costs the same however much a person was told before.
_UNREAD = f"""
SELECT count(*) FROM (
    SELECT person_id FROM annotation_notification WHERE person_id = %s AND read_at IS NULL LIMIT {MOST_COUNTED}) unread
"""  # noqa: S608 - a number of ours


def unread_count(person_id: int) -> int:
    """How many notifications the person has not read, MOST_COUNTED at most."""
    row = prepared.first_row(_UNREAD, [person_id])
    return row[0] if row else 0


def notify(*, people: Iterable[User], text: str, path: str) -> None:
    """Tell each of these people. Part of the caller's transaction: what did not happen is told to nobody.

    `path` is an address on this site. Who has an e-mail address and wants mail gets it by mail, too.
    """
    now = timezone.now()
    Notification.objects.bulk_create(
        Notification(
            person=person,
            text=_one_line(text),
            path=path,
            created_at=now,
            mail_at=now + MAIL_AFTER if may_be_mailed(person) else None,
        )
        for person in people
    )


def may_be_mailed(person: User) -> bool:
    return bool(settings.EMAIL_HOST and person.is_active and person.wants_mail and person.email)


def notify_reviewers(*, text: str, path: str) -> None:
    notify(people=User.objects.filter(is_active=True, role=Role.REVIEWER), text=text, path=path)


def mark_read(*, person: User, pk: int | None = None, path: str = "", until: datetime | None = None) -> int:
    """Mark one of the person's notifications as read, those of one page until a time, or all; how many were unread.

    They are not mailed any more.
    """
    unread = Notification.objects.unread().filter(person=person)
    if pk is not None:
        unread = unread.filter(pk=pk)
    if path:
        unread = unread.filter(path=path)
    if until is not None:
        unread = unread.filter(created_at__lte=until)
    return unread.update(read_at=timezone.now(), mail_at=None)


def set_wants_mail(*, person: User, wants: bool) -> None:
    """Turn a person's mail on or off; what waits to be mailed is not mailed where they turn it off."""
    person.wants_mail = wants
    person.save(update_fields=["wants_mail"])
    if not wants:
        Notification.objects.filter(person=person, mail_at__isnull=False).update(mail_at=None)


def _one_line(text: str) -> str:
    """It becomes the subject of a mail, and is as long as there is room."""
    most: int = Notification._meta.get_field("text").max_length
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
