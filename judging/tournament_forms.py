"""What a person fills in to compare generators: whose answers, then which pairs and which judges."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from annotation.import_forms import check_size
from annotation.importing.candidates import generators_with_answers
from annotation.models import Dataset, Generator, User
from annotation.pairing import WORDS, Design
from judging.backends import PATHS
from judging.models import Judge, Tournament
from judging.tournaments import Entry, Plan, TournamentError, begin, name_of, start

PURPOSES = [(Dataset.Purpose.SWEEP.value, "Sweep"), (Dataset.Purpose.TEST.value, "Test")]


class ManyFiles(forms.FileField):
    """Any number of files of one choice; the cleaned value is a list."""

    class Input(forms.FileInput):
        allow_multiple_selected = True

    widget = Input

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        if self.required and not data:
            raise ValidationError(self.error_messages["required"])
        return [super(ManyFiles, self).clean(each, initial) for each in data or []]


class CandidatesForm(forms.Form):
    dataset = forms.SlugField(
        label="Name of the new dataset",
        max_length=80,
        help_text="It will hold the pairs. Letters, digits, - and _.",
        error_messages={"required": "Name the dataset.", "invalid": "Use letters, digits, - and _ only."},
    )
    purpose = forms.ChoiceField(
        label="Purpose",
        choices=PURPOSES,
        help_text="A sweep is for judges alone; a test dataset also asks people for labels, three a pair if not said.",
    )
    prompts = forms.FileField(
        label="Prompts",
        required=False,
        allow_empty_file=True,
        help_text="JSON Lines, a JSON array or CSV with <code>instruction</code> and <code>input</code>.",
        error_messages={"required": "Choose the file of prompts."},
    )
    answers = ManyFiles(
        label="Answers, a file for each generator",
        required=False,
        allow_empty_file=True,
        help_text="Choose them all at once. Rows have <code>instruction</code>, <code>input</code> and "
        "<code>response</code> (or <code>output</code>). A file is named for its generator.",
        error_messages={"required": "Choose at least two files of answers."},
    )
    answered = forms.ModelChoiceField(
        Dataset.objects.none(),
        label="Answers to the prompts of",
        to_field_name="slug",
        required=False,
        empty_label="Choose a dataset",
    )
    generators = forms.ModelMultipleChoiceField(
        Generator.objects.none(),
        label="Generators",
        to_field_name="name",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, user: User, **options: Any):
        super().__init__(*args, **options)
        self.user = user
        self.fields["answered"].queryset = Dataset.objects.visible_to(user)
        slug = self.data.get("answered") or self.initial.get("answered", "")
        self.chosen = Dataset.objects.visible_to(user).filter(slug=slug).first() if slug else None
        # Either files or stored answers: what the one asks for the other does not.
        self.fields["prompts"].required = self.fields["answers"].required = self.chosen is None
        if self.chosen:
            known = [generator.pk for generator in generators_with_answers(self.chosen)]
            self.fields["generators"].queryset = Generator.objects.filter(pk__in=known)

    @property
    def file_fields(self) -> list[forms.BoundField]:
        return [self["prompts"], self["answers"]]

    def clean_prompts(self) -> UploadedFile | None:
        if self.cleaned_data["prompts"]:
            _check_size(self.cleaned_data["prompts"])
        return self.cleaned_data["prompts"]

    def clean_answers(self) -> list[UploadedFile]:
        for file in self.cleaned_data["answers"]:
            _check_size(file)
        return self.cleaned_data["answers"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("answered"):
            if len(given.get("generators") or []) < 2 and "generators" not in self.errors:
                self.add_error("generators", "Choose at least two generators.")
        elif len(given.get("answers") or []) < 2 and "answers" not in self.errors:
            self.add_error("answers", "Choose at least two files of answers.")
        return given

    def begin(self) -> Tournament | None:
        """The tournament, or None with the reason among the form's errors."""
        given = self.cleaned_data
        entries = []
        if not given["answered"]:
            entries = [Entry(file=given["prompts"], file_name=given["prompts"].name)]
            entries += [
                Entry(file=each, file_name=each.name, generator=name_of(each.name)) for each in given["answers"]
            ]
        try:
            return begin(
                dataset_slug=given["dataset"],
                purpose=given["purpose"],
                files=entries,
                answered=given["answered"],
                generators=[each.name for each in given["generators"]] if given["answered"] else [],
                created_by=self.user,
            )
        except TournamentError as error:
            self.add_error(None, ValidationError(str(error)))
            return None


class PlanForm(forms.Form):
    design = forms.ChoiceField(label="Pairs", choices=[(each.value, words) for each, words in WORDS.items()])
    number = forms.IntegerField(
        label="How many",
        required=False,
        min_value=1,
        max_value=100_000,
        help_text="Prompts to draw, or pairs of every two generators. Nothing for all pairs.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        initial=0,
        min_value=0,
        max_value=2**31 - 1,
        help_text="Decides what is drawn, and which response is the first of its pair: each side equally often.",
    )
    labels = forms.IntegerField(
        label="Human labels wanted for each pair",
        required=False,
        min_value=0,
        max_value=99,
        help_text="Nothing: three in a test dataset, none in a sweep.",
    )
    judges = forms.ModelMultipleChoiceField(
        Judge.objects.filter(backend__in=PATHS),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each judges all pairs, in both orders. More can be run later.",
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("design") not in {None, Design.ALL} and not given.get("number") and "number" not in self.errors:
            self.add_error("number", "Say how many to draw.")
        return given

    @property
    def plan(self) -> Plan:
        """What is asked for; only of a valid form."""
        given = self.cleaned_data
        return Plan(
            design=Design(given["design"]),
            number=given["number"] or 0,
            seed=given["seed"] or 0,
            judges=[judge.pk for judge in given["judges"]],
            labels=given["labels"],
        )

    def start(self, tournament: Tournament, *, created_by: User) -> bool:
        try:
            start(tournament=tournament, plan=self.plan, created_by=created_by)
        except TournamentError as error:
            self.add_error(None, ValidationError(str(error)))
        return not self.errors


def _check_size(file: UploadedFile) -> None:
    check_size(file, called=file.name, command="compare_generators")
