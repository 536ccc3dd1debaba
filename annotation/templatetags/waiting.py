"""What waits for the person who reads the page. Asked where a whole page is written, never for a part of one."""

from django import template

from annotation import notifications, rework
from annotation.models import Dataset, Label, User

register = template.Library()


@register.simple_tag
def unread_count(user: User) -> int:
    return notifications.unread_count(user.pk)


@register.simple_tag
def reworks_waiting(user: User, dataset: Dataset) -> int:
    return rework.waiting_for(user, dataset=dataset).count()


@register.filter
def why_not_back(label: Label) -> str:
    """Why the label cannot be sent back; nothing where it can."""
    return rework.why_not(label)
