"""The forms that make a judge and start a run."""

import json
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError

from annotation.models import Dataset, User
from jobs.crews import MOST_WORKERS
from judging.backends import PATHS
from judging.judges import USUAL_TEMPLATES, check_settings, create_judge
from judging.models import Judge, JudgeRun
from judging.prompts.versions import all_versions
from judging.runs.planning import RunPlan, plan_run
from judging.runs.starting import RunError, start_run


def template_choices() -> list[tuple]:
    """Each version with what it is for; those of checkpoints apart from those of chat models."""
    versions = [version for versions in all_versions() for version in versions]
    groups = (("For checkpoints", True), ("For chat models", False))
    return [("", "Usual for this kind")] + [
        (label, [(str(one), f"{one}: {one.about}") for one in versions if one.for_checkpoints == checkpoints])
        for label, checkpoints in groups
    ]


class JudgeForm(forms.ModelForm):
    backend = forms.ChoiceField(
        label="Kind", choices=[(value, label) for value, label in Judge.Backend.choices if value in PATHS]
    )
    template = forms.ChoiceField(
        label="Prompt template",
        required=False,
        choices=template_choices,
        help_text="Local checkpoints and servers have one.",
    )
    parameters = forms.JSONField(
        initial=dict,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "spellcheck": "false"}),
        help_text='A JSON object, as <code>{"logprobs": 5}</code>. What each kind knows is listed beside the form.',
    )

    class Meta:
        model = Judge
        fields = ["name", "backend", "model", "revision", "template", "parameters"]
        help_texts = {
            "name": "As it stands in leaderboards. Another setting is another judge: name what makes this one special.",
            "model": "Checkpoint: its folder on the workers, or a hub id that they have. Server: the model's name. "
            "Baseline: majority, longer, shorter or token-f1. Jury: majority, kappa or average. Fake: nothing.",
            "revision": "Of a hub id only.",
        }

    def clean_parameters(self) -> dict:
        return self.cleaned_data["parameters"] or {}

    def clean(self) -> dict:
        given = super().clean()
        if not self.errors:
            given["template"] = given["template"] or USUAL_TEMPLATES.get(given["backend"], "")
            names = ("backend", "model", "revision", "template", "parameters")
            check_settings(**{name: given[name] for name in names})
        return given

    def make(self, *, created_by: User) -> Judge:
        return create_judge(**self.cleaned_data, created_by=created_by)


class DatasetChoice(forms.ModelChoiceField):
    """Datasets are chosen by slug, as addresses name them."""

    def __init__(self, **options: object):
        super().__init__(Dataset.objects.none(), to_field_name="slug", empty_label="Choose a dataset", **options)


class BudgetField(forms.DecimalField):
    """US dollars with cents; empty is no limit."""

    def __init__(self) -> None:
        super().__init__(
            label="Budget in US dollars",
            required=False,
            min_value=Decimal("0.01"),
            max_digits=10,
            decimal_places=2,
            help_text="The run pauses where so much is spent. Empty: no limit.",
        )


class RunForm(forms.Form):
    judge = forms.ModelChoiceField(Judge.objects.filter(backend__in=PATHS), empty_label="Choose a judge")
    dataset = DatasetChoice()
    order = forms.ChoiceField(
        choices=JudgeRun.Order,
        initial=JudgeRun.Order.BOTH,
        help_text="Both orders cost twice as much and show how far the judge follows the place of a response.",
    )
    reasons = forms.ChoiceField(
        choices=JudgeRun.Reasons,
        initial=JudgeRun.Reasons.NONE,
        help_text="Reasons take far longer than verdicts. Baselines give none.",
    )
    budget = BudgetField()
    workers = forms.IntegerField(
        required=False,
        initial=1,
        min_value=1,
        max_value=MOST_WORKERS,
        help_text="Several share the run's pairs, each with a GPU of its own where the judge is a local checkpoint. "
        "As many must be running for its queue.",
    )

    def __init__(self, *args: object, user: User, **options: object):
        super().__init__(*args, **options)
        self.user = user
        self.fields["dataset"].queryset = Dataset.objects.visible_to(user)

    def clean_workers(self) -> int:
        return self.cleaned_data["workers"] or 1

    def plan(self) -> RunPlan | None:
        """What it would take; None where that is no money."""
        given = self.cleaned_data
        return plan_run(**{name: given[name] for name in ("judge", "dataset", "order", "reasons", "budget")})

    def start(self) -> JudgeRun | None:
        """The run, or None with the reason among the form's errors."""
        try:
            return start_run(**self.cleaned_data, created_by=self.user)
        except RunError as error:
            self.add_error(None, ValidationError(str(error)))
            return None


class BudgetForm(forms.Form):
    budget = BudgetField()


def as_json(value: object) -> str:
    """For people: indented, with letters as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
