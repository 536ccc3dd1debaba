"""What a person fills in to bring a file in."""

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from annotation.importing.formats import FORMATS, NAMES
from annotation.importing.options import AUTO, Options
from annotation.models import Dataset, Import

USUAL = ("", "The usual one")


def _formats() -> list[tuple[str, str]]:
    return [(name, "Find out from the first row" if name == AUTO else FORMATS[name].title) for name in NAMES]


class ImportForm(forms.Form):
    file = forms.FileField(
        label="File",
        allow_empty_file=True,  # The import says what to do about one, as it does at the command line.
        help_text="JSON Lines, a JSON array or CSV, in UTF-8.",
        error_messages={"required": "Choose a file."},
    )
    dataset = forms.SlugField(
        label="Dataset",
        max_length=80,
        help_text="One that is there gets what the file has more; otherwise it is made. Letters, digits, - and _.",
        error_messages={"required": "Name the dataset.", "invalid": "Use letters, digits, - and _ only."},
        widget=forms.TextInput(attrs={"list": "datasets", "autocomplete": "off"}),
    )
    format = forms.ChoiceField(label="Format", choices=_formats, initial=AUTO)
    dry_run = forms.BooleanField(
        label="Only try it out", required=False, help_text="Shows every problem and count, and stores nothing."
    )
    purpose = forms.ChoiceField(
        label="Purpose of a new dataset",
        required=False,
        choices=[USUAL, *Dataset.Purpose.choices],
        help_text="Usually test; train where a format holds distilled verdicts.",
    )
    labels_per_pair = forms.IntegerField(
        label="Human labels wanted for each pair",
        required=False,
        min_value=0,
        max_value=99,
        help_text="Usually 3 in a test dataset, none in a training one. It may be raised later.",
    )
    judge = forms.CharField(
        label="Judge",
        required=False,
        max_length=100,
        help_text="Whose verdicts these are, where the rows do not say, or where they shall count as another's.",
    )
    replace = forms.BooleanField(
        label="Replace what differs",
        required=False,
        help_text="Other choices of the same annotator are taken, and other verdicts of the same judge. "
        "What was there before is kept as history.",
    )
    create_annotators = forms.BooleanField(
        label="Create annotators",
        required=False,
        help_text="Makes accounts, which nobody can sign in to yet, for annotators that Tiebreak does not know. "
        "Without it such rows are refused. PandaLM's test set and MT-bench's judgments, whose people have numbers for "
        "names, get accounts in any case.",
    )

    basic = ("file", "dataset", "format", "dry_run")

    @property
    def basic_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.basic]

    @property
    def further_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.basic]

    @property
    def further_open(self) -> bool:
        """Whether something in there was filled in, or is wrong."""
        return any(field.errors or field.value() for field in self.further_fields)

    def clean_file(self) -> UploadedFile:
        check_size(self.cleaned_data["file"], called="This file", command="import_pairs")
        return self.cleaned_data["file"]

    def options(self) -> Options:
        given = self.cleaned_data
        return Options(
            format=given["format"],
            purpose=given["purpose"] or None,
            labels_per_pair=given["labels_per_pair"],
            judge=given["judge"] or None,
            replace=given["replace"],
            create_annotators=given["create_annotators"],
            dry_run=given["dry_run"],
        )


def check_size(file: UploadedFile, *, called: str, command: str) -> None:
    """Raises ValidationError for a file larger than the browser may send, with the command that takes it."""
    limit = settings.UPLOAD_LIMIT_BYTES
    if file.size > limit:
        raise forms.ValidationError(
            f"{called} has {filesizeformat(file.size)}; the browser may send {filesizeformat(limit)}. "
            f"Use manage.py {command} on the server for it."
        )


def filled_in_from(source: Import) -> dict[str, object]:
    """The same choices again, to import a mended file."""
    return source.options | {"dataset": source.dataset_slug}
