"""What an annotator is shown of a pair: the texts on their sides, and nothing of who wrote them.

A showing is signed into the page, so that a decision tells what was really before the person, and since when.
"""

import time
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any, Self

import orjson
from django.core import signing
from django.utils.crypto import salted_hmac

from annotation import prepared
from annotation.models import Guideline, Slot

_SALT = "annotation.showing"


# By hand, because this is asked for every label: half of what Django takes to build it. Generators are not read at all.
_SHOWN = """
SELECT prompt.instruction, prompt.input, one.text, two.text, guideline.id, guideline.number, guideline.text,
       draft.fields, draft.saved_at, draft.decided_at
  FROM annotation_pair pair
  JOIN annotation_prompt prompt ON prompt.id = pair.prompt_id
  JOIN annotation_response one ON one.id = pair.response_1_id
  JOIN annotation_response two ON two.id = pair.response_2_id
  LEFT JOIN LATERAL (
       SELECT id, number, text FROM annotation_guideline
        WHERE dataset_id = pair.dataset_id ORDER BY number DESC LIMIT 1) guideline ON true
  LEFT JOIN annotation_draft draft ON draft.pair_id = pair.id AND draft.annotator_id = %s
 WHERE pair.id = %s
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What somebody had begun to write about a pair: as models.Draft."""

    fields: dict[str, Any]
    saved_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """The texts of a pair as one annotator sees them, the guidelines beside them, and what they had begun to write."""

    pair_id: int
    instruction: str
    input: str
    left: str
    right: str
    guideline: Guideline | None
    draft: Begun | None = None


def shown(*, slot: Slot) -> Shown:
    """What the slot's annotator is to see: response 2 on the left where the slot says so."""
    row = prepared.first_row(_SHOWN, [slot.annotator_id, slot.pair_id])
    instruction, given, one, two, guideline_id, number, text, fields, saved_at, decided_at = row
    left, right = (two, one) if slot.swapped else (one, two)
    guideline = guideline_id and Guideline(id=guideline_id, dataset_id=slot.dataset_id, number=number, text=text)
    draft = Begun(orjson.loads(fields), saved_at, decided_at) if fields else None
    return Shown(slot.pair_id, instruction, given, left, right, guideline, draft)


@dataclass(frozen=True, slots=True)
class Showing:
    """That this pair, in this order and with these guidelines, was put before this person at this time."""

    user_id: int
    pair_id: int
    swapped: bool
    guideline_id: int | None
    at: float
    """Seconds since 1970."""

    @classmethod
    def now(cls, *, slot: Slot, guideline: Guideline | None) -> Self:
        guideline_id = guideline.pk if guideline else None
        return cls(slot.annotator_id, slot.pair_id, slot.swapped, guideline_id, round(time.time(), 3))

    @property
    def token(self) -> str:
        return signing.Signer(salt=_SALT).sign_object(astuple(self._veiled()))

    @classmethod
    def of(cls, token: str) -> Self:
        """Raises django.core.signing.BadSignature where the token is not one of ours."""
        return cls(*signing.Signer(salt=_SALT).unsign_object(token))._veiled()

    def _veiled(self) -> Self:
        """With the side changed or not, as a key says; the same again unveils it.

        What is signed can be read, and where response 1 is always the same model's the side would tell who wrote what.
        """
        bit = salted_hmac(_SALT, f"{self.user_id}:{self.pair_id}:{self.at}").digest()[0] & 1
        return replace(self, swapped=self.swapped != bool(bit))

    def seconds(self, *, measured: float | None) -> float:
        """From the page shown to the decision.

        The browser's own measure leaves out the way there and back, and is taken if it is possible; else the server's.
        """
        passed = max(time.time() - self.at, 0.0)
        return round(measured if measured is not None and 0 <= measured <= passed else passed, 3)
