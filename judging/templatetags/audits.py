"""Shares as they stand on the pages of audits."""

from django import template

register = template.Library()


@register.filter
def percent(share: float | None) -> str:
    """A share with one decimal, as 4.3%; a dash where there is none."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.1f}%"


@register.filter
def points(share: float) -> str:
    """A width of an interval in percentage points."""
    return f"{100 * share:.1f}"


@register.filter
def hundred(share: float) -> str:
    """A share on a drawing that is 100 wide."""
    return f"{100 * share:.2f}"
