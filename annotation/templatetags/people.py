"""`{{ user|person:names_hidden }}`: a person's name, or a number where names are hidden."""

from django import template
from django.utils.safestring import SafeString

from annotation.markup import markdown
from annotation.mentions import mentionable
from annotation.models import User
from annotation.people import shown_name

register = template.Library()


@register.filter
def person(user: User, hidden: bool) -> str:
    return shown_name(user, hidden=hidden)


@register.simple_tag
def readers(hidden: bool) -> dict[str, str]:
    """Who can be mentioned in a comment: how each is shown, by user name."""
    return {each.username: shown_name(each, hidden=hidden) for each in mentionable()}


@register.filter
def with_mentions(text: str, people: dict[str, str]) -> SafeString:
    """A comment as safe HTML, with the people whom it mentions marked."""
    return markdown(text, people)
