"""People named in comments as @name: who can be, who is, and that they are told.

Only who may read the comment can be mentioned: comments speak of other people's labels, which annotators never see.
"""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from annotation.models import Comment, Role, User
from annotation.names import candidates, named_in
from annotation.notifications import notify


@dataclass(frozen=True)
class Mentioned:
    """told: those who are mentioned and may read it. not_told: names of people who may not."""

    told: list[User]
    not_told: list[str]


def mentionable() -> QuerySet[User]:
    """Those who read comments, by name."""
    return User.objects.filter(is_active=True).exclude(role=Role.ANNOTATOR).order_by("username")


def mentioned_in(text: str) -> Mentioned:
    """Those whom the text mentions, each once."""
    if "@" not in text:
        return Mentioned([], [])
    people = {person.username: person for person in User.objects.filter(username__in=candidates(text))}
    names = sorted({name for _, _, name in named_in(text, set(people))})
    readers = set(mentionable().filter(username__in=names).values_list("username", flat=True))
    return Mentioned([people[name] for name in names if name in readers], [n for n in names if n not in readers])


def tell(comment: Comment) -> None:
    """Notify those whom a new comment mentions, but not its author."""
    told = [person for person in mentioned_in(comment.text).told if person.pk != comment.author_id]
    if told:
        pair = comment.pair
        text = f"{comment.author} mentioned you on pair {pair.external_id} of {pair.dataset}."
        notify(people=told, text=text, path=f"{reverse('pair', args=[pair.pk])}#comment-{comment.pk}")
