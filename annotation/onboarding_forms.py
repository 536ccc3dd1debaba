"""Forms of control pairs and of the way into a dataset."""

from django import forms

from annotation.controls import CHOICES, MOST_LINES
from annotation.models import Control, Dataset, Pair
from annotation.prose import Prose


class ControlForm(forms.Form):
    """One pair of the dataset, by its id."""

    pair = forms.CharField(label="Pair", max_length=200, help_text="Its id, as it stands on the review page.")
    use = forms.ChoiceField(label="Use it for", choices=Control.Use.choices)
    choice = forms.ChoiceField(
        label="Right answer",
        choices=[("", "Choose…"), ("1", "Response 1 is better"), ("tie", "Tie"), ("2", "Response 2 is better")],
        help_text="In the pair's own order, as on the review page. Annotators may see the sides changed.",
    )
    explanation = Prose(
        label="Explanation",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text="Markdown. Shown after the answer in practice, and where the settings say so after the round. "
        "Numbers are those of the pair's own order; who saw the sides changed is told so.",
    )

    def __init__(self, *args: object, dataset: Dataset, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.dataset = dataset

    def clean_pair(self) -> Pair:
        written = self.cleaned_data["pair"]
        found = Pair.objects.filter(dataset=self.dataset, external_id=written).first()
        if found is None:
            raise forms.ValidationError(f"There is no pair “{written}” in {self.dataset}.")
        return found

    @property
    def chosen(self):
        return CHOICES[self.cleaned_data["choice"]]


class ControlFileForm(forms.Form):
    file = forms.FileField(
        label="JSON Lines",
        help_text='A line a pair: <code>{"id": "p-17", "use": "practice", "choice": "1", "explanation": "…"}</code>',
    )

    def clean_file(self) -> list[str]:
        """Its lines."""
        sent = self.cleaned_data["file"]
        if sent.size > 10_000_000:
            raise forms.ValidationError("A file of control pairs has at most 10 MB.")
        try:
            lines = sent.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise forms.ValidationError("This is no UTF-8 text. Save it as UTF-8.") from error
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(f"At most {MOST_LINES} lines.")
        return lines


class AnswerForm(forms.Form):
    choice = forms.ChoiceField(
        choices=[(value, value) for value in CHOICES], error_messages={"required": "Choose 1, 2 or tie."}
    )
    seconds = forms.FloatField(required=False, min_value=0, max_value=86_400)

    def chosen(self, *, swapped: bool):
        """Of a valid form, in the pair's own terms."""
        seen = CHOICES[self.cleaned_data["choice"]]
        return seen.swapped if swapped else seen


class StandingForm(forms.Form):
    """What a reviewer does with somebody's standing."""

    action = forms.ChoiceField(
        choices=[(name, name) for name in ("attempt", "go_on", "pause", "leave_out", "count_again")]
    )
    note = forms.CharField(required=False, max_length=1000)
