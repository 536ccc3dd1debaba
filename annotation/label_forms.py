"""What comes back from the label page."""

from datetime import UTC, datetime

from django import forms
from django.core import signing

from annotation.labeling import Decision
from annotation.models import Confidence, Dataset, Flag, User
from annotation.prose import Prose
from annotation.remarks import CHOICES, Remarks, aspect_field
from annotation.showing import Showing

SKIP_REASONS = [
    ("unsure", "I can't judge this subject"),
    ("language", "I don't read this language"),
    ("broken", "A text is missing or broken"),
    ("harmful", "I don't want to read this"),
    ("other", "Something else"),
]


class RemarksForm(forms.Form):
    """What a dataset asks beside the choice. Unfinished it may be: it is what drafts are made of."""

    pair = forms.IntegerField()
    rationale = Prose(required=False, max_length=10_000)
    flag = forms.ChoiceField(required=False, choices=Flag.choices)

    def __init__(self, *args: object, dataset: Dataset, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.dataset = dataset
        if dataset.rationale == Dataset.Rationale.OFF:
            del self.fields["rationale"]
        if dataset.asks_confidence:
            self.fields["confidence"] = forms.TypedChoiceField(
                required=False, choices=Confidence.choices, coerce=int, empty_value=None
            )
        for aspect in dataset.aspects:
            self.fields[aspect_field(aspect)] = forms.ChoiceField(
                required=False, choices=[(value, value) for value in CHOICES]
            )

    @property
    def pair_id(self) -> int:
        return self.cleaned_data["pair"]

    @property
    def remarks(self) -> Remarks:
        """Of a valid form."""
        given = self.cleaned_data
        aspects = {name: value for name in self.dataset.aspects if (value := given[aspect_field(name)])}
        return Remarks(given.get("rationale", ""), aspects, given.get("confidence"), given["flag"])


class DraftForm(RemarksForm):
    """`decided_at`: as models.Draft."""

    decided_at = forms.DateTimeField(required=False)


class DecisionForm(RemarksForm):
    showing = forms.CharField()
    choice = forms.TypedChoiceField(
        choices=[(value, value) for value in CHOICES],
        coerce=CHOICES.__getitem__,
        error_messages={
            "required": "Choose 1, 2 or tie.",
            "invalid_choice": "“%(value)s” is no decision: choose 1, 2 or tie.",
        },
    )
    seconds = forms.FloatField(required=False)

    def clean_rationale(self) -> str:
        """As long as the dataset wants it, where it wants one."""
        rationale: str = self.cleaned_data["rationale"]
        length, least = len(rationale.strip()), self.dataset.rationale_characters
        if not length and self.dataset.rationale == Dataset.Rationale.REQUIRED:
            raise forms.ValidationError("Say in a few words why: this dataset asks for it with every label.")
        if 0 < length < least:
            raise forms.ValidationError(f"Say a little more about why: {least} characters at least, {length} so far.")
        return rationale

    def clean_showing(self) -> Showing | None:
        """None where the page was not made for anybody here: whoever sent it was never shown the pair."""
        try:
            return Showing.of(self.cleaned_data["showing"])
        except signing.BadSignature:
            return None

    def was_shown_to(self, user: User) -> bool:
        """Whether this person has had this pair before them: without that nobody decides it."""
        showing: Showing | None = self.cleaned_data["showing"]
        return showing is not None and (showing.user_id, showing.pair_id) == (user.pk, self.pair_id)

    @property
    def shown_at(self) -> datetime:
        return datetime.fromtimestamp(self.cleaned_data["showing"].at, UTC)

    @property
    def guideline_id(self) -> int | None:
        return self.cleaned_data["showing"].guideline_id

    @property
    def decision(self) -> Decision:
        showing: Showing = self.cleaned_data["showing"]
        remarks = self.remarks
        return Decision(
            choice=self.cleaned_data["choice"],
            swapped=showing.swapped,
            rationale=remarks.rationale,
            aspects={name: CHOICES[value] for name, value in remarks.aspects.items()},
            confidence=remarks.confidence and Confidence(remarks.confidence),
            flag=remarks.flag,
            seconds=showing.seconds(measured=self.cleaned_data["seconds"]),
            guideline_id=showing.guideline_id,
        )


class SkipForm(forms.Form):
    pair = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.ChoiceField(choices=SKIP_REASONS, error_messages={"required": "Say why you pass this pair on."})
    note = forms.CharField(required=False, max_length=1000)

    def clean(self) -> dict[str, object]:
        if self.cleaned_data.get("reason") == "other" and not self.cleaned_data.get("note"):
            self.add_error("note", "Say in a few words what it is.")
        return self.cleaned_data

    @property
    def written_reason(self) -> str:
        """The reason in words, as it is kept."""
        words = dict(SKIP_REASONS)[self.cleaned_data["reason"]]
        return f"{words}: {note}" if (note := self.cleaned_data["note"]) else words
