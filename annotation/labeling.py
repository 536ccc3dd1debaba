"""Labels: a first decision, a changed one with what it said before, and the way back to earlier ones.

A person decides in the terms of what they saw, left or right; a label is stored in the pair's own terms.
`in_other_terms` is the one place where the one becomes the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation import adjudication, prepared, rework
from annotation.assignment import NoClaimError
from annotation.models import (
    Choice,
    Confidence,
    Dataset,
    Draft,
    Label,
    LabelRevision,
    LateDecision,
    Pair,
    Skip,
    Slot,
    User,
)
from annotation.reveal import RevealedError

# ruff: noqa: S608 - the statements are put together of the texts in this file.

_LATEST = 10

# One statement, and so a transaction by itself. The update locks the slot: of two decisions that come at once the
# second waits there, finds the slot done, and stores nothing. What was written and not sent goes when it is sent.
_LABEL_OF_FILLED = """, sent AS (
    DELETE FROM annotation_draft draft USING filled
     WHERE draft.pair_id = filled.pair_id AND draft.annotator_id = filled.annotator_id
)
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, aspects, confidence, flag,
                              seconds, guideline_id, created_at, changed_at)
SELECT pair_id, annotator_id, %(choice)s, %(swapped)s, %(rationale)s, %(aspects)s::jsonb, %(confidence)s, %(flag)s,
       %(seconds)s, %(guideline)s, %(now)s, %(now)s
  FROM filled
"""
_RECORD = f"""
WITH filled AS (
    UPDATE annotation_slot SET state = 'done'
     WHERE dataset_id = %(dataset)s AND pair_id = %(pair)s AND annotator_id = %(annotator)s AND state = 'claimed'
 RETURNING pair_id, annotator_id
){_LABEL_OF_FILLED}"""
# For a claim that is gone: any slot of the pair that nobody is at work on, a free one first. It counts as taken when
# the pair was shown, which is its place among the annotator's decisions.
_RECORD_LATE = f"""
WITH filled AS (
    UPDATE annotation_slot
       SET state = 'done', annotator_id = %(annotator)s, claimed_at = %(shown_at)s, expires_at = %(now)s
     WHERE id = (
        SELECT id FROM annotation_slot
         WHERE dataset_id = %(dataset)s AND pair_id = %(pair)s
           AND (state = 'free' OR (state = 'claimed' AND expires_at < %(now)s))
         ORDER BY state DESC, number LIMIT 1 FOR UPDATE SKIP LOCKED)
 RETURNING pair_id, annotator_id
){_LABEL_OF_FILLED}"""


def in_other_terms(choice: Choice, *, swapped: bool) -> Choice:
    """From what was shown to the pair's own terms, or back: with swapped sides 1 and 2 change places, a tie stays."""
    return choice.swapped if swapped else choice


def aspects_in_other_terms(aspects: Mapping[str, int], *, swapped: bool) -> dict[str, int]:
    return {name: int(in_other_terms(Choice(choice), swapped=swapped)) for name, choice in aspects.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said about a pair, in the terms of what they saw: 1 is the left response."""

    choice: Choice
    swapped: bool
    """Response 2 stood left when they decided."""
    rationale: str = ""
    aspects: Mapping[str, Choice] = field(default_factory=dict)
    """Which is better in this respect, again in the terms of what they saw."""
    confidence: Confidence | None = None
    flag: str = ""
    seconds: float | None = None
    guideline_id: int | None = None

    @property
    def said(self) -> dict[str, object]:
        """As labels keep it, in the pair's own terms."""
        return {
            "choice": in_other_terms(self.choice, swapped=self.swapped),
            "rationale": self.rationale,
            "aspects": aspects_in_other_terms(self.aspects, swapped=self.swapped),
            "confidence": self.confidence,
            "flag": self.flag,
        }


def record_label(*, user: User, dataset: Dataset, pair_id: int, decision: Decision) -> bool:
    """Fill the annotator's claimed slot. A decision that comes twice is stored once: the first stands.

    True where this one was stored, False where the annotator had already labelled the pair. Raises NoClaimError,
    storing nothing, where they have no slot on this pair of the dataset.
    """
    with prepared.cursor() as cursor:
        cursor.execute(_RECORD, _values(user, dataset, pair_id, decision))
        if cursor.rowcount:
            return True
    if Slot.objects.filter(dataset=dataset, pair=pair_id, annotator=user).exists():
        return False
    raise NoClaimError


def record_late(*, user: User, dataset: Dataset, pair_id: int, decision: Decision, shown_at: datetime) -> bool:
    """Keep a decision whose claim was gone when it came: as a label where a slot of the pair is free, else apart.

    True where it became a label; False where it is kept as a LateDecision, which no rule counts. `shown_at` is when
    the annotator was shown the pair. The same decision twice is kept once.
    """
    values = _values(user, dataset, pair_id, decision) | {"shown_at": shown_at}
    try:
        with transaction.atomic(), prepared.cursor() as cursor:
            cursor.execute(_RECORD_LATE, values)
            if cursor.rowcount:
                return True
    except IntegrityError:
        # The same person sent it twice at once, and the other one has the slot.
        if Label.objects.filter(pair=pair_id, annotator=user).exists():
            return True
        raise
    keep_apart(user=user, pair_id=pair_id, decision=decision)
    return False


def was_passed_on(*, user: User, pair_id: int) -> bool:
    return Skip.objects.filter(pair=pair_id, annotator=user).exists()


def keep_apart(*, user: User, pair_id: int, decision: Decision) -> None:
    """Keep a decision for which there is no slot. Of several about one pair the latest stands."""
    said = decision.said | {"shown_swapped": decision.swapped, "seconds": decision.seconds}
    said["created_at"] = timezone.now()
    with transaction.atomic():
        LateDecision.objects.update_or_create(pair_id=pair_id, annotator=user, defaults=said)
        Draft.objects.filter(pair=pair_id, annotator=user).delete()


def _values(user: User, dataset: Dataset, pair_id: int, decision: Decision) -> dict[str, object]:
    said = decision.said
    return said | {
        "dataset": dataset.pk,
        "pair": pair_id,
        "annotator": user.pk,
        "swapped": decision.swapped,
        "aspects": orjson.dumps(said["aspects"]).decode() if decision.aspects else "{}",
        "seconds": decision.seconds,
        "guideline": decision.guideline_id,
        "now": timezone.now(),
    }


def change_label(*, user: User, dataset: Dataset, pair_id: int, decision: Decision) -> Label:
    """Put a new decision in the place of an earlier one, which is kept as a revision. The same again changes nothing.

    Raises NoClaimError where the annotator has not labelled this pair of the dataset, and AdjudicatedError where a
    reviewer has decided the pair since.
    """
    with transaction.atomic():
        owned = Label.objects.select_for_update().filter(pair=pair_id, annotator=user, pair__dataset=dataset)
        label = owned.first()
        if label is None:
            raise NoClaimError
        said = decision.said
        if all(getattr(label, name) == value for name, value in said.items()):
            Draft.objects.filter(pair=pair_id, annotator=user).delete()
            rework.keep(annotator=user, pair_id=pair_id, guideline_id=decision.guideline_id)
            return label
        if label.is_fixed:
            raise RevealedError
        adjudication.check_open(pair_id=pair_id, annotator=user, decided_at=label.changed_at)
        replaced = _keep_revision(label)
        for name, value in said.items():
            setattr(label, name, value)
        label.shown_swapped = decision.swapped
        label.seconds, label.guideline_id = decision.seconds, decision.guideline_id
        label.changed_at = timezone.now()
        label.save()
        Draft.objects.filter(pair=pair_id, annotator=user).delete()
        rework.close(label=label, replaced=replaced)
        return label


def _keep_revision(label: Label) -> LabelRevision:
    return LabelRevision.objects.create(
        label=label,
        choice=label.choice,
        rationale=label.rationale,
        aspects=label.aspects,
        confidence=label.confidence,
        flag=label.flag,
        seconds=label.seconds,
        decided_at=label.changed_at,
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """One of an annotator's latest decisions, in the terms of what they saw."""

    pair_id: int
    instruction: str
    input: str
    left: str
    right: str
    choice: Choice
    flag: str
    at: datetime

    @classmethod
    def of(cls, *, pair: Pair, choice: Choice, swapped: bool, flag: str, at: datetime) -> Self:
        """choice: in the pair's own terms."""
        left, right = (pair.response_2, pair.response_1) if swapped else (pair.response_1, pair.response_2)
        seen = in_other_terms(choice, swapped=swapped)
        return cls(pair.pk, pair.prompt.instruction, pair.prompt.input, left.text, right.text, seen, flag, at)


# What the list of decisions shows of a pair.
SHOWN_OF_PAIR = ("prompt", "response_1", "response_2")


def latest_decisions(*, user: User, dataset: Dataset) -> list[Decided]:
    """What the annotator decided last here, the latest first: ten at most."""
    pairs = list(Slot.objects.decided_by(user).filter(dataset=dataset).values_list("pair", flat=True)[:_LATEST])
    shown = [f"pair__{name}" for name in SHOWN_OF_PAIR]
    labels = Label.objects.filter(pair__in=pairs, annotator=user).select_related(*shown).order_by()
    by_pair = {label.pair_id: label for label in labels}
    return [
        Decided.of(
            pair=label.pair,
            choice=Choice(label.choice),
            swapped=bool(label.shown_swapped),
            flag=label.get_flag_display(),
            at=label.changed_at,
        )
        for pair in pairs
        if (label := by_pair.get(pair))
    ]
