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
def measure(found: Measure, pairs: str, about: str) -> SafeString:
    """As judging/_measure.html has it with three digits, for tables of hundreds of measures.

    pairs: the address of the pairs that it is taken on. about: what it is, for those who only hear the link.
    """
    if found.value is None:
        return format_html(
            '<span title="{0}" aria-hidden="true">&ndash;</span><span class="visually-hidden">Not defined: {0}</span>',
            found.undefined,
        )
    value = f"{found.value:.3f}"
    link = format_html('<a href="{}" aria-label="{}: {}, {} pairs">{}</a>', pairs, about, value, found.n, value)
    return format_html("{}{}", link, interval(found))


def interval(found: Measure) -> SafeString | str:
    if found.interval is None:
        return ""
    low, high = found.interval
    return format_html('<span class="interval">{} to {}</span>', f"{low:.3f}", f"{high:.3f}")
