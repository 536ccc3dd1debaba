from django import forms

from annotation.models import Choice
from annotation.prose import Prose

# As on the buttons of the label page, in the terms of what is shown: 1 is the left response.
_CHOICES = {"1": Choice.FIRST, "tie": Choice.TIE, "2": Choice.SECOND}


class ReconsiderForm(forms.Form):
    choice = forms.ChoiceField(
        label="What do you think now?",
        choices=[("1", "Response 1 is better"), ("tie", "Tie"), ("2", "Response 2 is better")],
        widget=forms.RadioSelect,
    )
    rationale = Prose(
        label="Why?", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"})
    )

    def chosen(self, *, swapped: bool) -> Choice:
        """Of a valid form, in the pair's own terms."""
        seen = _CHOICES[self.cleaned_data["choice"]]
        return seen.swapped if swapped else seen
