import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def p_value(p: float) -> str:
    """A p value with two figures that mean something, and never as zero."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


@register.filter
def as_json(figure: dict[str, Any]) -> str:
    """A figure as JSON for an attribute; the template escapes it. A script element would not survive a fragment."""
    return json.dumps(figure, separators=(",", ":"))
