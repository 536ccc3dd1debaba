"""What comes in from the pages of audits."""

import secrets
import time

from django import forms
from django.core import signing

from annotation.label_forms import CHOICES
from annotation.models import Dataset, User
from annotation.prose import Prose
from judging.audits.asking import ask
from judging.audits.auditing import Decision
from judging.audits.drawing import DrawError
from judging.audits.strata import DIMENSIONS
from judging.audits.suspicion import SIGNALS
from judging.models import Audit, AuditItem, JudgeRun

_SALT = "judging.audit"
LONGEST_SECONDS = 24 * 3600


class RunChoice(forms.ModelChoiceField):
    def label_from_instance(self, run: JudgeRun) -> str:
        return f"{run.judge} (run {run.pk}, {run.created_at:%-d %B %Y})"


class AuditForm(forms.Form):
    """Draws an audit. Fields of the other mode are left alone."""

    mode = forms.ChoiceField(
        label="What for",
        choices=[
            (Audit.Mode.SAMPLE, "Random sample: how many labels are wrong?"),
            (Audit.Mode.SUSPICIOUS, "Suspicious first: find labels that are wrong"),
        ],
        initial=Audit.Mode.SAMPLE,
        widget=forms.RadioSelect,
    )
    run = RunChoice(JudgeRun.objects.none(), label="Labels of", empty_label="Choose a run")
    size = forms.IntegerField(label="How many labels", min_value=1, max_value=50_000, initial=400)

    strata = forms.MultipleChoiceField(
        label="Strata by",
        required=False,
        choices=[(name, each.title) for name, each in DIMENSIONS.items()],
        initial=["verdict"],
        widget=forms.CheckboxSelectMultiple,
    )
    allocation = forms.ChoiceField(
        choices=[
            ("proportional", "Proportional: as large strata, as many labels. Best for the rate of the whole"),
            ("equal", "Equal: the same number from each. Best to compare strata"),
        ],
        required=False,
        initial="proportional",
    )
    minimum = forms.IntegerField(
        label="From each stratum at least", required=False, min_value=0, max_value=1000, initial=2
    )
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="The same seed on the same labels draws the same sample. Empty: one is made up and kept.",
    )

    signals = forms.MultipleChoiceField(
        label="Signs",
        required=False,
        choices=[(name, each.title) for name, each in SIGNALS.items()],
        initial=list(SIGNALS),
        widget=forms.CheckboxSelectMultiple,
    )
    probabilities = RunChoice(
        JudgeRun.objects.none(),
        required=False,
        empty_label="None",
        label="Probabilities of",
        help_text="For the confident-learning score: a judge that gives probabilities and has not learnt from these "
        "labels.",
    )

    SAMPLE_FIELDS = ("strata", "allocation", "minimum", "seed")
    SUSPICIOUS_FIELDS = ("signals", "probabilities")

    def __init__(self, *args: object, dataset: Dataset, user: User, **options: object):
        super().__init__(*args, **options)
        self.user = user
        runs = JudgeRun.objects.filter(dataset=dataset).select_related("judge").order_by("-created_at")
        self.fields["run"].queryset = self.fields["probabilities"].queryset = runs
        if len(runs) == 1:
            self.fields["run"].initial = runs[0]

    @property
    def common_fields(self) -> list[forms.BoundField]:
        return [self["mode"], self["run"], self["size"]]

    @property
    def sample_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.SAMPLE_FIELDS]

    @property
    def suspicious_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.SUSPICIOUS_FIELDS]

    def clean(self) -> dict[str, object]:
        said = self.cleaned_data
        if said.get("mode") == Audit.Mode.SUSPICIOUS:
            signals = said.get("signals") or []
            if not signals and "signals" not in self.errors:
                self.add_error("signals", "Choose at least one sign.")
            if signals == ["unlikely"] and not said.get("probabilities"):
                self.add_error("probabilities", "Choose the run whose probabilities are to speak.")
            if said.get("probabilities") and said["probabilities"] == said.get("run"):
                self.add_error("probabilities", "Choose another run: its own probabilities are no second opinion.")
        return said

    def ask(self) -> Audit | None:
        """The audit, drawn or with a job that draws it; or None with the reason among the form's errors."""
        said = self.cleaned_data
        if said["mode"] == Audit.Mode.SUSPICIOUS:
            seed = 0
            how = {"signals": said["signals"], "probabilities": said["probabilities"] and said["probabilities"].pk}
        else:
            seed = secrets.randbelow(2**31) if said["seed"] is None else said["seed"]
            how = {
                "dimensions": [name for name in DIMENSIONS if name in said["strata"]],
                "proportional": said["allocation"] != "equal",
                "minimum": said["minimum"] or 0,
            }
        try:
            return ask(run=said["run"], mode=said["mode"], size=said["size"], seed=seed, how=how, created_by=self.user)
        except DrawError as error:
            self.add_error(None, forms.ValidationError(str(error)))
            return None


def shown_token(*, item: AuditItem, user: User) -> str:
    """That this item was put before this person now: signed, so that only who has seen it decides it."""
    return signing.Signer(salt=_SALT).sign_object([item.pk, user.pk, round(time.time(), 3)])


class _Shown(forms.Form):
    shown = forms.CharField(widget=forms.HiddenInput)
    seconds = forms.FloatField(required=False)

    def clean_shown(self) -> list[float]:
        try:
            return signing.Signer(salt=_SALT).unsign_object(self.cleaned_data["shown"])
        except signing.BadSignature:
            raise forms.ValidationError("This page is not one of ours: reload it and decide again.") from None

    def was_shown_to(self, user: User) -> bool:
        return self.cleaned_data["shown"][1] == user.pk

    @property
    def item_id(self) -> int:
        return int(self.cleaned_data["shown"][0])

    @property
    def active_seconds(self) -> float:
        """The browser's own measure where it is possible, else the server's."""
        passed = min(max(time.time() - self.cleaned_data["shown"][2], 0.0), LONGEST_SECONDS)
        measured = self.cleaned_data.get("seconds")
        return round(measured if measured is not None and 0 <= measured <= passed else passed, 3)


class BlindForm(_Shown):
    """In the terms of what is shown: 1 is the left response."""

    choice = forms.TypedChoiceField(
        choices=[(value, value) for value in CHOICES],
        coerce=CHOICES.__getitem__,
        error_messages={
            "required": "Choose 1, 2 or tie.",
            "invalid_choice": "“%(value)s” is no decision: choose 1, 2 or tie.",
        },
    )


class OutcomeForm(_Shown):
    """What is right, in the terms of the judge; the label itself is right where that is what it says."""

    right = forms.ChoiceField(
        choices=[
            ("1", "1 is right"),
            ("2", "2 is right"),
            ("tie", "A tie is right"),
            ("undecidable", "Undecidable"),
            ("broken", "A response is broken"),
        ],
        error_messages={
            "required": "Say what is right: 1, 2, a tie, undecidable or broken.",
            "invalid_choice": "“%(value)s” is none of 1, 2, tie, undecidable and broken.",
        },
    )
    cause = forms.ChoiceField(choices=AuditItem.Cause, required=False)
    note = Prose(required=False, max_length=10_000)

    def __init__(self, *args: object, item: AuditItem, **options: object):
        super().__init__(*args, **options)
        self.item = item

    @property
    def outcome(self) -> AuditItem.Outcome:
        said = self.cleaned_data["right"]
        if said not in CHOICES:
            return AuditItem.Outcome(said)
        return AuditItem.Outcome.RIGHT if CHOICES[said] == self.item.distilled else AuditItem.Outcome.WRONG

    def clean(self) -> dict[str, object]:
        said = self.cleaned_data
        if "right" not in said or "cause" not in said:
            return said
        if self.outcome == AuditItem.Outcome.RIGHT:
            said["cause"] = ""
        elif not said["cause"]:
            self.add_error("cause", "Say why: choose a cause.")
        elif said["cause"] == AuditItem.Cause.OTHER and not said.get("note"):
            self.add_error("note", "Say in a few words what it is.")
        return said

    @property
    def decision(self) -> Decision:
        said, outcome = self.cleaned_data, self.outcome
        return Decision(
            outcome=outcome,
            right_choice=CHOICES[said["right"]] if outcome == AuditItem.Outcome.WRONG else None,
            cause=said["cause"],
            note=said["note"],
            seconds=self.active_seconds,
        )
