"""One label at a time before an auditor: a claim, a blind choice, then the label, then the decision about it.

An item is in one state at a time and changes by conditional update. Nothing of the label leaves the database for its
auditor before the blind choice is committed; from then on that choice does not change.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotation.models import Choice, Role, User
from annotation.reveal import AUDITED, close_labelling
from judging.models import Audit, AuditItem

# Who could still label a pair must not see what a judge said of it: nor of the same two responses in another dataset.
# Nobody labels a pair that has all its labels; and where it wants more one day, who has audited it is not given it.
_MAY_LABEL = """
EXISTS (SELECT FROM annotation_pair own
          JOIN annotation_pair twin ON twin.prompt_id = own.prompt_id
           AND least(twin.response_1_id, twin.response_2_id) = least(own.response_1_id, own.response_2_id)
           AND greatest(twin.response_1_id, twin.response_2_id) = greatest(own.response_1_id, own.response_2_id)
          JOIN annotation_dataset dataset ON dataset.id = twin.dataset_id AND dataset.labels_per_pair > 0
         WHERE own.id = item.pair_id
           AND (dataset.everyone_labels OR EXISTS (
                SELECT FROM annotation_dataset_annotators team
                 WHERE team.dataset_id = dataset.id AND team.user_id = %(user)s))
           AND EXISTS (SELECT FROM annotation_slot slot WHERE slot.pair_id = twin.id AND slot.state <> 'done')
           AND NOT EXISTS (SELECT FROM annotation_label label
                            WHERE label.pair_id = twin.id AND label.annotator_id = %(user)s))
"""
# Nor chooses blind who has seen already what was said of them.
_HAS_SEEN = """
EXISTS (SELECT FROM annotation_pair own
          JOIN annotation_pair twin ON twin.prompt_id = own.prompt_id
           AND least(twin.response_1_id, twin.response_2_id) = least(own.response_1_id, own.response_2_id)
           AND greatest(twin.response_1_id, twin.response_2_id) = greatest(own.response_1_id, own.response_2_id)
         WHERE own.id = item.pair_id
           AND (EXISTS (SELECT FROM annotation_label label WHERE label.pair_id = twin.id
                           AND label.annotator_id = %(user)s
                           AND (label.revealed_at IS NOT NULL OR label.audited_at IS NOT NULL))
             OR EXISTS (SELECT FROM annotation_controlanswer answer
                          JOIN annotation_control control ON control.id = answer.control_id
                         WHERE control.pair_id = twin.id AND answer.annotator_id = %(user)s
                           AND (answer.revealed_at IS NOT NULL OR answer.audited_at IS NOT NULL))))
"""
# Another auditor begins anew: what the one before chose blind is kept in the history.
_CLAIM = f"""
UPDATE judging_audititem AS taken
   SET state = CASE WHEN auditor_id = %(user)s THEN state ELSE 'claimed' END,
       history = CASE WHEN state = 'revealed' AND auditor_id <> %(user)s
                      THEN history || jsonb_build_array(jsonb_build_object(
                           'auditor', auditor_id, 'blind', blind_choice, 'at', blind_at))
                      ELSE history END,
       blind_choice = CASE WHEN auditor_id = %(user)s THEN blind_choice END,
       blind_at = CASE WHEN auditor_id = %(user)s THEN blind_at END,
       seconds = CASE WHEN auditor_id = %(user)s THEN seconds END,
       claimed_at = CASE WHEN auditor_id = %(user)s THEN claimed_at ELSE %(now)s END,
       auditor_id = %(user)s, claimed_until = %(until)s
 WHERE id = COALESCE(
    (SELECT id FROM judging_audititem
      WHERE audit_id = %(audit)s AND auditor_id = %(user)s AND state IN ('claimed', 'revealed') FOR UPDATE),
    (SELECT id FROM judging_audititem item
      WHERE audit_id = %(audit)s
        AND (state = 'free' OR state IN ('claimed', 'revealed') AND claimed_until < %(now)s)
        AND NOT history @> jsonb_build_array(jsonb_build_object('auditor', %(user)s::bigint))
        AND NOT {_MAY_LABEL} AND NOT {_HAS_SEEN}
      ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING id
"""  # noqa: S608 - all of it is written here
_OPEN = f"""
SELECT count(*) FROM judging_audititem item
 WHERE audit_id = %(audit)s
   AND (auditor_id = %(user)s AND state IN ('claimed', 'revealed')
        OR state = 'free' OR state IN ('claimed', 'revealed') AND claimed_until < %(now)s)
   AND NOT history @> jsonb_build_array(jsonb_build_object('auditor', %(user)s::bigint))
   AND NOT {_MAY_LABEL} AND NOT {_HAS_SEEN}
"""  # noqa: S608 - all of it is written here
_ANYBODY = f"""
SELECT EXISTS (SELECT FROM judging_audititem item, annotation_user person
 WHERE item.audit_id = %(audit)s AND person.id = ANY(%(people)s) AND item.state <> 'decided'
   AND NOT item.history @> jsonb_build_array(jsonb_build_object('auditor', person.id))
   AND NOT {_MAY_LABEL.replace("%(user)s", "person.id")} AND NOT {_HAS_SEEN.replace("%(user)s", "person.id")})
"""  # noqa: S608 - all of it is written here


class NotYoursError(Exception):
    """The item is not this auditor's any more: their claim ran out and somebody else took it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an auditor says of a label once they have seen it; choices in the pair's own terms."""

    outcome: AuditItem.Outcome
    right_choice: Choice | None = None
    cause: str = ""
    note: str = ""
    seconds: float = 0.0


def claim_item(*, audit: Audit, user: User) -> AuditItem | None:
    """The item that is the auditor's to do now: the one they have open, else the next; None if nothing is left to them.

    Asked twice without a decision in between, it answers with the same item.
    """
    now = timezone.now()
    until = now + timedelta(minutes=audit.dataset.claim_minutes)
    values = {"user": user.pk, "audit": audit.pk, "now": now, "until": until}
    for last_try in (False, True):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_CLAIM, values)
                row = cursor.fetchone()
        except IntegrityError:
            # The same person asked twice at once: the other request has claimed, and its item is found next time.
            if last_try:
                raise
        else:
            return AuditItem.objects.get(pk=row[0]) if row else None
    return None


def open_items(*, audit: Audit, user: User) -> int:
    """How many items this auditor may still be given."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"user": user.pk, "audit": audit.pk, "now": timezone.now()})
        return cursor.fetchone()[0]


def finds_nobody(*, audit: Audit) -> bool:
    """Labels of it wait, and no annotator may take any of them: all of them could still label the pairs, or know them.

    Whoever has one open now counts as one who may.
    """
    people = User.objects.filter(role=Role.ANNOTATOR, is_active=True)
    if not audit.dataset.everyone_labels:
        people = people.filter(pk__in=audit.dataset.annotators.all())
    if audit.closed_at or not audit.items.exclude(state=AuditItem.State.DECIDED).exists():
        return False
    with connection.cursor() as cursor:
        cursor.execute(_ANYBODY, {"audit": audit.pk, "people": list(people.values_list("pk", flat=True))})
        return not cursor.fetchone()[0]


def choose_blind(*, item_id: int, user: User, choice: Choice, seconds: float) -> bool:
    """Commit the blind choice, in the pair's own terms: from here on the label may be shown.

    True where this choice was stored, False where there was one already, which stands. Whoever sees the label can't
    label the pair any more, and what they have labelled does not change any more. Raises NotYoursError.
    """
    with transaction.atomic():
        mine = AuditItem.objects.filter(pk=item_id, auditor=user)
        now = timezone.now()
        stored = mine.filter(state=AuditItem.State.CLAIMED).update(
            state=AuditItem.State.REVEALED, blind_choice=choice, blind_at=now, seconds=seconds
        )
        if stored:
            close_labelling(user=user, pair=mine.select_related("pair").get().pair, seen="audited_at", reason=AUDITED)
            return True
    if mine.filter(state__in=[AuditItem.State.REVEALED, AuditItem.State.DECIDED]).exists():
        return False
    raise NotYoursError


def decide(*, item_id: int, user: User, decision: Decision) -> bool:
    """Keep the decision about a label that was shown. A changed one leaves the one before in the history.

    False where the same was decided already. Raises NotYoursError.
    """
    with transaction.atomic():
        states = [AuditItem.State.REVEALED, AuditItem.State.DECIDED]
        item = AuditItem.objects.select_for_update().filter(pk=item_id, auditor=user, state__in=states).first()
        if item is None:
            raise NotYoursError
        said = (decision.outcome, decision.right_choice, decision.cause, decision.note)
        if item.state == AuditItem.State.DECIDED:
            if said == (item.outcome, item.right_choice, item.cause, item.note):
                return False
            item.history.append(_earlier(item))
        item.outcome, item.right_choice, item.cause, item.note = said
        item.state, item.decided_at = AuditItem.State.DECIDED, timezone.now()
        item.seconds = round((item.seconds or 0) + decision.seconds, 3)
        item.save()
        return True


def _earlier(item: AuditItem) -> dict[str, object]:
    return {
        "outcome": item.outcome,
        "right": item.right_choice,
        "cause": item.cause,
        "note": item.note,
        "at": item.decided_at and item.decided_at.isoformat(),
    }


def latest_decided(*, audit: Audit, user: User) -> AuditItem | None:
    """What undo opens again."""
    return _decided(audit, user).first()


def decided_before(*, item: AuditItem, user: User) -> AuditItem | None:
    return _decided(item.audit, user).filter(decided_at__lt=item.decided_at or timezone.now()).first()


def _decided(audit: Audit, user: User):
    return AuditItem.objects.filter(audit=audit, auditor=user, state=AuditItem.State.DECIDED).order_by("-decided_at")


def close(*, audit: Audit) -> None:
    """Give out no more of its items. What is before an auditor now may still be decided."""
    Audit.objects.filter(pk=audit.pk, closed_at=None).update(closed_at=timezone.now())


def reopen(*, audit: Audit) -> None:
    Audit.objects.filter(pk=audit.pk).update(closed_at=None)
