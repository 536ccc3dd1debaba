"""Forms of a dataset's settings."""

from dataclasses import replace

from django import forms

from annotation.models import Dataset
from annotation.prose import Prose
from annotation.removal import Contents

MOST_LABELS = 99


class GuidelineForm(forms.Form):
    text = Prose(
        label="Guidelines",
        widget=forms.Textarea(attrs={"rows": 18}),
        max_length=100_000,
        help_text="Markdown. Saving makes a new revision; each label knows the revision that it was made by.",
        error_messages={"required": "Write what annotators should do: an empty revision helps nobody."},
    )


class RemoveForm(forms.Form):
    """Typed and ticked by somebody who has read what goes. The numbers that they read come along."""

    slug = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
    people_too = forms.BooleanField(required=False)
    labels = forms.IntegerField(widget=forms.HiddenInput)
    remarks = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: object, dataset: Dataset, contents: Contents, **kwargs: object) -> None:
        super().__init__(*args, initial={"labels": contents.labels, "remarks": contents.remarks}, **kwargs)
        self.dataset = dataset
        self.contents = contents
        self.fields["slug"].label = f"Type {dataset.slug} to remove it"
        if contents.is_work_of_people:
            self.fields["people_too"].required = True
            self.fields["people_too"].label = "Delete what people said, too: it cannot be brought back"
            self.fields["people_too"].error_messages["required"] = (
                "People have worked on this dataset. Tick this only if their work is to be lost."
            )
        else:
            del self.fields["people_too"]

    def clean_slug(self) -> str:
        if self.cleaned_data["slug"] != self.dataset.slug:
            raise forms.ValidationError(f"This is not its name. Type {self.dataset.slug} exactly.")
        return self.dataset.slug

    @property
    def known(self) -> Contents:
        """What the page told; only of a valid form."""
        return replace(self.contents, labels=self.cleaned_data["labels"], remarks=self.cleaned_data["remarks"])


class LabelsPerPairForm(forms.Form):
    labels_per_pair = forms.IntegerField(label="Labels wanted for each pair", max_value=MOST_LABELS)

    def __init__(self, *args: object, dataset: Dataset, **kwargs: object) -> None:
        super().__init__(*args, initial={"labels_per_pair": dataset.labels_per_pair}, **kwargs)
        field = self.fields["labels_per_pair"]
        field.min_value = field.widget.attrs["min"] = dataset.labels_per_pair
        field.widget.attrs["max"] = MOST_LABELS
        field.help_text = (
            f"Now {dataset.labels_per_pair}. It may become more while people label, not fewer: "
            "labels that exist are not taken back."
        )

    def clean_labels_per_pair(self) -> int:
        wanted: int = self.cleaned_data["labels_per_pair"]
        least = self.fields["labels_per_pair"].min_value
        if wanted < least:
            raise forms.ValidationError(f"Choose {least} or more: labels that exist are not taken back.")
        return wanted
