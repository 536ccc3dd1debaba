"""A reviewer's last word on a pair, and what reviewers say to each other about it."""

from datetime import datetime

from django.db import transaction

from annotation import mentions
from annotation.models import Adjudication, Choice, Comment, Pair, Rework, User


class AdjudicatedError(Exception):
    """A reviewer has decided the pair, so labels of it stay as they are."""


def is_closed(*, pair_id: int, annotator: User, decided_at: datetime) -> bool:
    """Whether the pair was adjudicated since, so that the annotator's label stays: no reviewer has sent it back.

    An adjudication of before they decided closes nothing: it would tell a control pair, which is answered long after
    reviewers have decided it, from others.
    """
    if not Adjudication.objects.filter(pair=pair_id, current=True, created_at__gt=decided_at).exists():
        return False
    return not Rework.objects.filter(label__pair=pair_id, label__annotator=annotator, done_at=None).exists()


def check_open(*, pair_id: int, annotator: User, decided_at: datetime) -> None:
    """Make sure that the annotator may change their label, and keep it so until the transaction ends.

    Raises AdjudicatedError where it stays as it is.
    """
    Pair.objects.select_for_update(no_key=True).get(pk=pair_id)
    if is_closed(pair_id=pair_id, annotator=annotator, decided_at=decided_at):
        raise AdjudicatedError


@transaction.atomic
def adjudicate(*, pair: Pair, choice: Choice, cause: Adjudication.Cause, note: str, by: User) -> Adjudication:
    """Set the pair's gold. Earlier adjudications stay as history; the same one again (a double click) adds nothing."""
    # Two reviewers at once, or two clicks of one, come one after the other: one of their adjudications is current.
    Pair.objects.select_for_update(no_key=True).get(pk=pair.pk)
    current = Adjudication.objects.filter(pair=pair, current=True).first()
    said = {"choice": choice, "cause": cause, "note": note, "by": by}
    if current:
        if all(getattr(current, name) == value for name, value in said.items()):
            return current
        current.current = False
        current.save(update_fields=["current"])
    return Adjudication.objects.create(pair=pair, **said)


@transaction.atomic
def comment(*, pair: Pair, author: User, text: str) -> Comment:
    """Add a comment, and tell those whom it mentions.

    What its author has said last on this pair, said again (a double click), adds nothing.
    """
    Pair.objects.select_for_update(no_key=True).get(pk=pair.pk)
    last = Comment.objects.filter(pair=pair).last()
    if last and (last.author_id, last.text) == (author.pk, text):
        return last
    made = Comment.objects.create(pair=pair, author=author, text=text)
    mentions.tell(made)
    return made
