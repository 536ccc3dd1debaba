"""`{{ moment|moment }}`: a time as the reader's clock shows it.

Written in the installation's zone, with its name, and rewritten by static/js/moments.js in the zone of the browser.
"""

from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html

register = template.Library()

FORMS = {"minutes": "%b %Y, %H:%M %Z", "seconds": "%b %Y, %H:%M:%S %Z", "date": "%b %Y"}


@register.filter
def same_day(one: datetime | None, other: datetime | None) -> bool:
    """Whether two moments have one date in the installation's zone."""
    return bool(one and other) and timezone.localtime(one).date() == timezone.localtime(other).date()


@register.filter
def moment(value: datetime | None, form: str = "minutes") -> str:
    """`form` is one of FORMS. Nothing where there is no moment."""
    if value is None:
        return ""
    here = timezone.localtime(value)
    exact = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return format_html(
        '<time datetime="{}" data-moment="{}">{} {}</time>', exact, form, here.day, f"{here:{FORMS[form]}}"
    )
