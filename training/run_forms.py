"""The forms of snapshots and training runs. Hyperparameters have a field each, made from what the script validates."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from pydantic import ValidationError as PydanticError
from pydantic.fields import FieldInfo

from annotation.models import Dataset, Generator, User
from jobs.crews import MOST_WORKERS
from judging.filtering import FILTERS
from judging.judge_forms import DatasetChoice
from judging.models import Audit, AuditItem, JudgeRun
from training.models import Snapshot, TrainingRun
from training.recipes import CandidateRecipe, JudgeRecipe, Recipe
from training.runs import MOST_DEVICES, check_asked, errors_of, read_hyperparameters, start_training
from training.script.config import Hyperparameters, Lora
from training.snapshots import make_snapshot

LEAKS = [("refuse", "Refuse, and say which"), ("leave_out", "Leave those prompts out")]
# Shown first; the others stand under “More”.
FIRST = ("optimizer", "learning_rate", "schedule", "warmup_ratio", "epochs", "global_batch", "max_length", "seed")


class SnapshotForm(forms.Form):
    """What both kinds share."""

    name = forms.CharField(max_length=100, help_text="As it is called in lists and on cards.")
    size = forms.IntegerField(
        min_value=1,
        required=False,
        help_text="At most so many, drawn by the seed, before copies are added. Empty: all.",
    )
    held_out = forms.FloatField(
        label="Share of prompts kept aside",
        initial=0.02,
        min_value=0,
        max_value=0.9,
        help_text="Their samples are never learnt from; the loss on them is measured after each epoch.",
    )
    leaks = forms.ChoiceField(label="Prompts that a test set holds too", choices=LEAKS, initial="refuse")
    override = forms.CharField(
        label="Why such prompts may stay all the same",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Only where you know better: it is written on the card of every checkpoint.",
    )
    seed = forms.IntegerField(initial=0, min_value=0, max_value=2**31 - 1)

    def recipe(self) -> Recipe:
        raise NotImplementedError

    def make(self, *, created_by: User) -> Snapshot | None:
        """The snapshot, or None with what is wrong among the form's errors."""
        given = self.cleaned_data
        try:
            return make_snapshot(
                name=given["name"], recipe=self.recipe(), override=given["override"], created_by=created_by
            )
        except PydanticError as error:
            _add_errors(self, errors_of(error))
        except ValidationError as error:
            _add_errors(self, error.message_dict)
        return None


class RunChoice(forms.ModelChoiceField):
    def label_from_instance(self, run: JudgeRun) -> str:
        return f"Run {run.pk}: {run}"


class JudgeSnapshotForm(SnapshotForm):
    run = RunChoice(
        JudgeRun.objects.none(),
        label="Labels of",
        empty_label="Choose a run",
        help_text="Runs over datasets that are no test sets.",
    )
    filters = forms.MultipleChoiceField(
        label="Leave out what these filters marked",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(name, each.title) for name, each in FILTERS.items()],
        initial=list(FILTERS),
        help_text="The run's page of filters tells what each marks; labels that came since are marked first.",
    )
    corrections = forms.BooleanField(label="Apply what audits found", required=False, initial=True)
    swap = forms.BooleanField(
        label="Add each sample the other way round",
        required=False,
        initial=True,
        help_text="So that the place of a response teaches nothing. Reasons are reworded.",
    )
    references = forms.FloatField(
        label="Share of samples that keep their reference", initial=1.0, min_value=0, max_value=1
    )

    weights = forms.ModelChoiceField(
        Audit.objects.filter(mode=Audit.Mode.SAMPLE, items__state=AuditItem.State.DECIDED).distinct(),
        label="Weigh labels by",
        required=False,
        empty_label="Nothing: all weigh alike",
        help_text="An audit of a random sample of these labels: those of a stratum weigh by how often they are right.",
    )

    field_order = ["name", "run", "filters", "corrections", "weights", "swap", "references"]

    def __init__(self, *args: object, **options: object):
        super().__init__(*args, **options)
        runs = JudgeRun.objects.exclude(dataset__purpose=Dataset.Purpose.TEST).select_related("judge", "dataset")
        self.fields["run"].queryset = runs

    def recipe(self) -> JudgeRecipe:
        given = self.cleaned_data
        names = ("filters", "corrections", "swap", "references", "size", "held_out", "leaks", "seed")
        weights = given["weights"] and given["weights"].pk
        return JudgeRecipe(run=given["run"].pk, weights=weights, **{name: given[name] for name in names})


class CandidateSnapshotForm(SnapshotForm):
    dataset = DatasetChoice(help_text="Train datasets; its prompts are learnt with one answer each.")
    generator = forms.ModelChoiceField(
        Generator.objects.all(),
        label="Answers of",
        required=False,
        to_field_name="name",
        empty_label="The prompts' own references",
    )

    field_order = ["name", "dataset", "generator"]

    def __init__(self, *args: object, **options: object):
        super().__init__(*args, **options)
        self.fields["dataset"].queryset = Dataset.objects.exclude(purpose=Dataset.Purpose.TEST)

    def recipe(self) -> CandidateRecipe:
        given = self.cleaned_data
        return CandidateRecipe(
            dataset=given["dataset"].slug,
            generator=given["generator"].name if given["generator"] else None,
            **{name: given[name] for name in ("size", "held_out", "leaks", "seed")},
        )


def _field(info: FieldInfo) -> forms.Field:
    """The form field of a hyperparameter; its limits are pydantic's to check."""
    told: dict[str, Any] = {"help_text": info.description or "", "initial": info.default}
    if get_origin(info.annotation) is Literal:
        return forms.ChoiceField(choices=[(value, value) for value in get_args(info.annotation)], **told)
    if info.annotation is bool:
        return forms.BooleanField(required=False, **told)
    if info.annotation is int:
        return forms.IntegerField(**told)
    # The browser's own stepping of numbers knows no 2e-5.
    return forms.FloatField(widget=forms.TextInput(attrs={"inputmode": "decimal"}), **told)


class TrainingForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Its checkpoints and their judges are called after it.")
    snapshot = forms.ModelChoiceField(Snapshot.objects.none(), empty_label="Choose a snapshot")
    base_model = forms.CharField(
        max_length=500, help_text="Its folder on the workers, or a hub id that they have. Weights are safetensors."
    )
    revision = forms.CharField(max_length=100, required=False, help_text="Of a hub id only.")
    devices = forms.IntegerField(
        initial=1, min_value=1, max_value=MOST_DEVICES, help_text="GPUs; on a machine without any, processes."
    )
    test_sets = forms.ModelMultipleChoiceField(
        Dataset.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="A judge is asked about their pairs, in both orders, after each epoch.",
    )
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = forms.CharField(required=False, help_text="By comma.", max_length=400)
    lora = forms.BooleanField(label="Train adapters (LoRA) instead of all weights", required=False)
    lora_rank = _field(Lora.model_fields["rank"])
    lora_alpha = _field(Lora.model_fields["alpha"])
    lora_dropout = _field(Lora.model_fields["dropout"])

    def __init__(self, *args: object, **options: object):
        super().__init__(*args, **options)
        self.fields["snapshot"].queryset = Snapshot.objects.whole()
        self.fields["test_sets"].queryset = Dataset.objects.filter(purpose=Dataset.Purpose.TEST).order_by("slug")
        for name, info in Hyperparameters.model_fields.items():
            if name != "lora":
                self.fields[name] = _field(info)

    def clean_tags(self) -> list[str]:
        tags = [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]
        if long := next((tag for tag in tags if len(tag) > 40), None):
            raise ValidationError(f"“{long}” is longer than 40 letters.")
        return tags

    def clean(self) -> dict[str, Any]:
        """All that is wrong at once: what Django finds, what the script's own checks find, and what a run needs."""
        given = super().clean()
        wrong = set(self.errors)
        try:
            given["hyperparameters"] = read_hyperparameters(self._hyperparameters(given))
        except ValidationError as error:
            _add_errors(self, self._by_label(error.message_dict, known=wrong))
        needed = ("snapshot", "base_model", "revision", "devices", "test_sets")
        if wrong.isdisjoint(needed):
            try:
                check_asked(**{name: given[name] for name in needed})
            except ValidationError as error:
                _add_errors(self, error.message_dict)
        return given

    def _by_label(self, errors: Mapping[str, list[str]], *, known: Collection[str]) -> dict[str, list[str]]:
        """Without fields whose errors are known, and with fields called as the form calls them."""
        found = {field: words for field, words in errors.items() if field.replace(".", "_") not in known}
        if known.intersection(Hyperparameters.model_fields):
            # How fields fit together says nothing where one of them is a default in the place of what is wrong.
            found.pop("hyperparameters", None)
        return {field: [self._with_labels(str(each)) for each in words] for field, words in found.items()}

    def _with_labels(self, words: str) -> str:
        for name in Hyperparameters.model_fields:
            # A name of one plain word may be just that word further on.
            if name in self.fields:
                pattern = rf"\b{name}\b" if "_" in name else rf"^{name}\b"
                words = re.sub(pattern, f"“{self[name].label}”", words)
        return words

    def _hyperparameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Of the form; a default where a field holds what cannot be read."""
        given = {name: info.default for name, info in Hyperparameters.model_fields.items()} | {
            **{f"lora_{name}": info.default for name, info in Lora.model_fields.items()},
            **given,
        }
        found = {name: given[name] for name in Hyperparameters.model_fields if name != "lora"}
        found["zero_stage"] = int(found["zero_stage"])
        lora = {name: given[f"lora_{name}"] for name in Lora.model_fields}
        return found | {"lora": lora if given["lora"] else None}

    def start(self, *, dry: bool, created_by: User) -> TrainingRun | None:
        """The run, or None with what is wrong among the form's errors."""
        names = ("name", "snapshot", "base_model", "revision", "hyperparameters", "devices", "notes", "tags")
        asked = {name: self.cleaned_data[name] for name in names}
        test_sets = list(self.cleaned_data["test_sets"])
        try:
            return start_training(**asked, test_sets=test_sets, dry=dry, created_by=created_by)
        except ValidationError as error:
            _add_errors(self, error.message_dict)
            return None

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """Title, fields, and whether they are folded away."""
        hyper = [name for name in Hyperparameters.model_fields if name != "lora"]
        more = [name for name in hyper if name not in FIRST]
        lora = ["lora", "lora_rank", "lora_alpha", "lora_dropout"]
        parts = (
            ("What", ["name", "snapshot", "base_model", "revision", "devices", "test_sets"], False),
            ("How", list(FIRST), False),
            ("Memory, form and more", more, True),
            ("Adapters", lora, True),
            ("Notes", ["notes", "tags"], True),
        )
        return [
            (title, [self[name] for name in names], folded and not any(self[name].errors for name in names))
            for title, names, folded in parts
        ]


def initial_of(run: TrainingRun) -> dict[str, Any]:
    """What the form of a clone is filled in with."""
    lora = run.hyperparameters.get("lora")
    return {
        **{name: value for name, value in run.hyperparameters.items() if name != "lora"},
        "lora": bool(lora),
        **{f"lora_{name}": value for name, value in (lora or {}).items()},
        "name": f"{run.name}, changed"[:100],
        "snapshot": run.snapshot_id,
        "base_model": run.base_model,
        "revision": run.revision,
        "devices": run.devices,
        "test_sets": list(run.test_sets.values_list("pk", flat=True)),
        "tags": ", ".join(run.tags),
    }


class NotesForm(forms.ModelForm):
    tags = forms.CharField(required=False, help_text="By comma.", max_length=400)

    class Meta:
        model = TrainingRun
        fields = ["notes", "tags"]
        widgets = {"notes": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: object, **options: object):
        super().__init__(*args, **options)
        self.initial["tags"] = ", ".join(self.instance.tags)

    clean_tags = TrainingForm.clean_tags


def _add_errors(form: forms.Form, errors: Mapping[str, list[str]]) -> None:
    for field, words in errors.items():
        name = field.replace(".", "_")
        form.add_error(name if name in form.fields else None, [str(each) for each in words])


class AnswersForm(forms.Form):
    """Whose prompts a candidate answers, and with how many workers."""

    dataset = DatasetChoice(
        error_messages={"invalid_choice": "There is no dataset %(value)s. Take one of those that the field offers."}
    )
    workers = forms.IntegerField(
        min_value=1,
        max_value=MOST_WORKERS,
        error_messages=dict.fromkeys(
            ["required", "invalid", "min_value", "max_value"], f"Answers are shared by 1 to {MOST_WORKERS} workers."
        ),
    )

    def __init__(self, *args: Any, datasets: QuerySet[Dataset], **options: Any):
        super().__init__(*args, **options)
        self.fields["dataset"].queryset = datasets
