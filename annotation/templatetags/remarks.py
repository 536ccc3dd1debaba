"""`{% for aspect, choice in label|by_aspect %}`: what somebody said by aspect, in the pair's own terms."""

from django import template

from annotation.models import Choice, Label, LateDecision
from annotation.remarks import said_by_aspect

register = template.Library()


@register.filter
def by_aspect(said: Label | LateDecision) -> list[tuple[str, Choice]]:
    return said_by_aspect(said.aspects)
