"""What stands on the label page."""

from dataclasses import dataclass
from datetime import datetime

from annotation import adjudication, labeling, mixing, rework
from annotation.differences import Piece, differences
from annotation.label_forms import SKIP_REASONS, DecisionForm, SkipForm
from annotation.models import Choice, Dataset, Slot, Standing, User
from annotation.pools import stop_for, whom_to_ask
from annotation.progress import progress_of
from annotation.remarks import WRITTEN, Group, Remarks, flag_question, questions
from annotation.showing import Showing, Shown, shown

# Beyond this many characters in both responses a comparison would take seconds.
_MOST_COMPARED = 400_000


@dataclass(frozen=True, slots=True)
class Task:
    """A pair before an annotator: what they see of it, what they have said of it so far, and what lies beside it."""

    shown: Shown
    token: str
    chosen: str
    """The decision that stands, as on the buttons; empty where none was made."""
    remarks: Remarks
    decided_at: datetime | None
    """When the decision that stands was made."""
    saved_at: datetime | None
    """When the remarks were saved, where they are what was begun over that decision, and not sent."""
    before: int | None
    after: int | None

    @property
    def decided(self) -> bool:
        return bool(self.chosen)

    @property
    def flag(self) -> Group:
        return flag_question(self.remarks.flag)


def page_context(
    *,
    user: User,
    dataset: Dataset,
    slot: Slot | None,
    form: DecisionForm | None = None,
    skip_form: SkipForm | None = None,
    seen: DecisionForm | None = None,
    with_differences: bool = False,
    barrier: Standing | None = None,
) -> dict[str, object]:
    """The page for a slot, or for none left. `form` and `skip_form` are shown with their errors.

    `seen` is the decision that was sent from the page before this one: where the guidelines have changed since, the
    new ones are shown. `barrier` is what keeps the person from labelling now (annotation/onboarding.py).
    """
    is_open = slot is not None and slot.state == Slot.State.CLAIMED
    progress, team = progress_of(user=user, dataset=dataset, open_pair=is_open)
    if slot and slot.state == Slot.State.CLAIMED:
        slot = mixing.in_front_of(user=user, dataset=dataset, slot=slot, progress=progress)
    progress = mixing.seen_progress(user=user, dataset=dataset, progress=progress)
    stop = None if slot else stop_for(user=user, dataset=dataset)
    task = slot and _task(user, dataset, slot, progress.latest, form)
    guideline = task.shown.guideline if task else dataset.guidelines.first()
    decided = task.shown.pair_id if task and task.decided else None
    return {
        "dataset": dataset,
        "guideline": guideline,
        "guideline_is_new": seen is not None and seen.guideline_id != (guideline and guideline.pk),
        "progress": progress,
        "team": team.with_own(progress),
        "questions": questions(dataset, task.remarks) if task else [],
        "differences": _differences(task.shown) if task and with_differences else None,
        "form": form,
        "skip_form": skip_form,
        "skip_reasons": SKIP_REASONS,
        "task": task,
        "stop": stop,
        "ask": whom_to_ask() if stop else [],
        "barrier": barrier,
        "asked": decided and rework.open_rework(annotator=user, pair_id=decided),
        "closed": task is not None
        and task.decided_at is not None
        and adjudication.is_closed(annotator=user, pair_id=task.shown.pair_id, decided_at=task.decided_at),
    }


def _task(user: User, dataset: Dataset, slot: Slot, latest: int | None, form: DecisionForm | None) -> Task:
    chosen, remarks, before, after = "", Remarks(), latest, None
    if label := mixing.label_in(user=user, slot=slot):
        chosen = WRITTEN[labeling.in_other_terms(Choice(label.choice), swapped=slot.swapped)]
        remarks = Remarks.of_label(label, swapped=slot.swapped)
        before, after = mixing.beside(user=user, dataset=dataset, slot=slot)
    seen = shown(slot=slot)
    decided_at = label and label.changed_at
    # A draft of before the decision that came after it, from a slow network or another tab, was overtaken by it.
    draft = seen.draft if seen.draft and seen.draft.decided_at == decided_at else None
    if draft:
        remarks = Remarks.of_draft(draft.fields, swapped=slot.swapped)
    if form is not None and form.data.get("pair") == str(slot.pair_id):
        remarks = Remarks.of_form(form.data, dataset=dataset)
    token = Showing.now(slot=slot, guideline=seen.guideline).token
    return Task(seen, token, chosen, remarks, decided_at, draft and draft.saved_at, before, after)


def _differences(seen: Shown) -> tuple[list[Piece], list[Piece]] | str:
    """The pieces of both responses; or why they are not compared."""
    if len(seen.left) + len(seen.right) > _MOST_COMPARED:
        return "These responses are too long to be compared word by word."
    if seen.left == seen.right:
        return "Both responses are the same, letter by letter."
    return differences(seen.left, seen.right)
