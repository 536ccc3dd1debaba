"""Choosing what a dataset is exported as."""

from django import forms

from annotation.exporting.formats import FORMATS
from annotation.exporting.options import Options, Ties
from annotation.gold_rule import gold_rule
from annotation.models import Dataset
from annotation.verdict_store import verdict_store


class ExportForm(forms.Form):
    """All the choices there are. `format` alone is enough."""

    format = forms.ChoiceField(
        label="Format",
        choices=[(each.name, each.title) for each in FORMATS.values()],
        widget=forms.RadioSelect,
        initial="tiebreak",
    )
    policy = forms.ChoiceField(
        label="Gold under the policy",
        required=False,
        help_text="Adds the gold of each pair to tables. Preferences always have a policy: default, if none is chosen.",
    )
    judge = forms.ChoiceField(
        label="Judge", required=False, help_text="Whose verdicts become PandaLM training data. Other formats hold all."
    )
    ties = forms.ChoiceField(
        label="Ties, in preferences",
        required=False,
        choices=[(Ties.OUT, "Leave them out"), (Ties.KEEP, "Keep them, marked as ties")],
        help_text="A kept tie has response 1 as chosen and says that it is a tie.",
    )
    spreadsheet = forms.BooleanField(
        label="CSV for a spreadsheet",
        required=False,
        help_text="Puts an apostrophe before texts that a spreadsheet would run as a formula.",
    )
    alone = forms.BooleanField(
        label="The file alone",
        required=False,
        help_text="Otherwise it comes in a zip with its manifest: what it is, how it was made, and its SHA-256.",
    )

    def __init__(self, *args: object, dataset: Dataset, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        policies = [(name, f"{name}: {words}") for name, words in gold_rule().policies()]
        self.fields["policy"].choices = [("", "No gold, the labels as they are"), *policies]
        judges = [name for name, swapped in verdict_store().columns_of(dataset=dataset) if not swapped]
        if len(judges) > 1:
            self.fields["judge"].choices = [("", "Choose for training data"), *((name, name) for name in judges)]
        else:
            del self.fields["judge"]

    def options(self) -> Options:
        chosen = self.cleaned_data
        return Options(
            policy=chosen["policy"],
            judge=chosen.get("judge", ""),
            ties=Ties(chosen["ties"] or Ties.OUT),
            spreadsheet=chosen["spreadsheet"],
        )
