"""What a reviewer may say about a pair."""

from django import forms
from django.http import QueryDict

from annotation.models import Adjudication, Choice
from annotation.prose import Prose

CAUSES = [(cause.value, cause.label) for cause in Adjudication.Cause if cause is not Adjudication.Cause.UNANIMOUS]
CHOICES = {"1": Choice.FIRST, "2": Choice.SECOND, "tie": Choice.TIE}


class AdjudicationForm(forms.Form):
    choice = forms.TypedChoiceField(
        label="The better response",
        choices=[("1", "1"), ("2", "2"), ("tie", "Tie")],
        coerce=CHOICES.__getitem__,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose 1, 2 or tie.",
            "invalid_choice": "“%(value)s” is none of 1, 2 and tie.",
        },
    )
    cause = forms.TypedChoiceField(
        label="Why people or judges differ",
        choices=CAUSES,
        coerce=Adjudication.Cause,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the cause.", "invalid_choice": "“%(value)s” is no cause: choose one."},
    )
    note = Prose(
        label="Note", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}), help_text="Markdown."
    )


class CommentForm(forms.Form):
    text = Prose(
        label="Comment",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Markdown. Every reviewer reads it; annotators do not. Write @ and a name to tell somebody.",
        error_messages={"required": "Write something first."},
    )


class UnanimousForm(forms.Form):
    """Names the number of pairs that whoever sends it has been told of."""

    number = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, number: int) -> None:
        super().__init__(data, initial={"number": number})
        self.now = number

    def clean_number(self) -> int:
        told = self.cleaned_data["number"]
        if self.now == 0:
            raise forms.ValidationError("No unanimous pair is left to adjudicate: somebody has done it already.")
        if told != self.now:
            raise forms.ValidationError(
                f"Nothing was done yet: it was {told} pairs when you opened this page, and is {self.now} now. "
                "Look again and confirm."
            )
        return told
