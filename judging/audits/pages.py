"""What stands on the pages of an auditor."""

from dataclasses import dataclass

from django.db.models import Count, Q

from annotation.label_forms import CHOICES
from annotation.models import Choice, Slot, User
from annotation.showing import Shown, shown
from judging.audits import auditing
from judging.audits.forms import BlindForm, OutcomeForm, shown_token
from judging.audits.suspicion import SIGNALS
from judging.models import Audit, AuditItem

WRITTEN = {choice: value for value, choice in CHOICES.items()}
# Keys of the causes, none of them a key of an outcome.
CAUSE_KEYS = dict(zip(AuditItem.Cause.values, "filrmateco", strict=True))


@dataclass(frozen=True, slots=True)
class OwnAudit:
    """An audit with what one auditor has done of it and may still be given."""

    audit: Audit
    decided: int
    open: int


@dataclass(frozen=True, slots=True)
class Cause:
    value: str
    words: str
    key: str


def own_audits(*, user: User) -> list[OwnAudit]:
    done = Count("items", filter=Q(items__auditor=user, items__state=AuditItem.State.DECIDED))
    audits = Audit.objects.audited_by(user).select_related("dataset").annotate(n_decided=done).order_by("-pk")
    return [OwnAudit(each, each.n_decided, auditing.open_items(audit=each, user=user)) for each in audits]


def blind_context(*, audit: Audit, item: AuditItem | None, user: User, form: BlindForm | None) -> dict[str, object]:
    """The pair as the auditor is to see it first: on its sides, without anything of the label."""
    return {
        "audit": audit,
        "dataset": audit.dataset,
        "item": item,
        "shown": item and _texts(audit, item, swapped=item.swapped),
        "token": item and shown_token(item=item, user=user),
        "form": form,
        "guideline": audit.dataset.guidelines.first(),
        "undo": auditing.latest_decided(audit=audit, user=user),
        **_progress(audit, user),
    }


def revealed_context(*, audit: Audit, item: AuditItem, user: User, form: OutcomeForm | None) -> dict[str, object]:
    """The pair as the judge numbers it, the label and the blind choice. Only of an item whose choice is committed."""
    chosen = {"right": _right_of(item), "cause": item.cause, "note": item.note}
    if form is not None:
        chosen = {name: form.data.get(name, "") for name in chosen}
    return {
        "audit": audit,
        "dataset": audit.dataset,
        "item": item,
        "shown": _texts(audit, item, swapped=False),
        "token": shown_token(item=item, user=user),
        "form": form,
        "chosen": chosen,
        "distilled": WRITTEN[Choice(item.distilled)],
        "blind": WRITTEN[Choice(item.blind_choice)],
        "verdict": item.verdict,
        "changed": item.verdict is not None and item.verdict.choice != item.distilled,
        "signals": [{"title": SIGNALS[each["kind"]].title, "words": each["words"]} for each in item.signals],
        "causes": [Cause(value, words, CAUSE_KEYS[value]) for value, words in AuditItem.Cause.choices],
        "before": auditing.decided_before(item=item, user=user),
        **_progress(audit, user),
    }


def _texts(audit: Audit, item: AuditItem, *, swapped: bool) -> Shown:
    return shown(slot=Slot(pair_id=item.pair_id, dataset_id=audit.dataset_id, swapped=swapped))


def _right_of(item: AuditItem) -> str:
    """The outcome as it stands on the buttons."""
    if item.outcome == AuditItem.Outcome.RIGHT:
        return WRITTEN[Choice(item.distilled)]
    if item.outcome == AuditItem.Outcome.WRONG:
        return WRITTEN[Choice(item.right_choice)]
    return item.outcome


def _progress(audit: Audit, user: User) -> dict[str, int]:
    items = AuditItem.objects.filter(audit=audit)
    done = items.filter(state=AuditItem.State.DECIDED)
    return {"n_items": items.count(), "n_done": done.count(), "n_own": done.filter(auditor=user).count()}
