from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotation.agreement import Measure

register = template.Library()


@register.filter
def percent(share: float) -> str:
    """With one figure behind the point."""
    return f"{100 * share:.1f}%"


@register.simple_tag
def measure(found: Measure) -> SafeString:
    """As judging/_measure.html has it with three digits, for tables of hundreds of measures."""
    if found.value is None:
        return format_html(
            '<span title="{0}" aria-hidden="true">&ndash;</span><span class="visually-hidden">Not defined: {0}</span>',
            found.undefined,
        )
    return format_html("{}{}", f"{found.value:.3f}", interval(found))


@register.simple_tag
def interval(found: Measure) -> SafeString | str:
    if found.interval is None:
        return ""
    low, high = found.interval
    return format_html('<span class="interval">{} to {}</span>', f"{low:.3f}", f"{high:.3f}")
