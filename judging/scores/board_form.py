"""What the leaderboard is asked for: a policy, another beside it, and more averages."""

from django import forms
from django.http import QueryDict

from annotation.models import Dataset
from judging.agreement.form import RunsField
from judging.models import JudgeRun
from judging.scores.evidence import runs_that_count
from judging.scores.policies import PRESETS, Policy, UnknownPolicyError, policy_named
from judging.scores.policy_forms import PolicyChooser
from judging.scores.slices import JUDGES_SHOWN, SliceBy


class BoardForm(forms.Form):
    """Bound to the query string. What is wrong in it is said, and left out of the page."""

    weighted = forms.ChoiceField(
        required=False,
        choices=[("", "Macro averages alone"), ("on", "Weighted averages beside them")],
        error_messages={"invalid_choice": "“%(value)s” is none of the averages: write weighted=on, or leave it out."},
    )
    beside = forms.CharField(required=False, max_length=100)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="board_%s", label_suffix="")
        self.chooser = PolicyChooser(data)
        names = [name for name in PRESETS if name != self.policy.name]
        said = data.get("beside", "")
        self.others = [*names, *([said] if said and said not in PRESETS else [])]

    @property
    def policy(self) -> Policy:
        return self.chooser.policy

    def clean_beside(self) -> Policy | None:
        said = self.cleaned_data["beside"]
        if not said:
            return None
        try:
            other = policy_named(said)
        except UnknownPolicyError as error:
            raise forms.ValidationError(str(error)) from error
        if other == self.policy:
            raise forms.ValidationError(f"Beside {said} choose another policy: it never differs from itself.")
        return other

    @property
    def wrong(self) -> list[str]:
        """What is wrong with the address, in words."""
        first = (
            [f"{self.chooser.error} The numbers below are those of the default policy."] if self.chooser.error else []
        )
        return first + [words for errors in self.errors.values() for words in errors]

    @property
    def other(self) -> Policy | None:
        """The policy to set beside, of a form that was validated."""
        return self.cleaned_data.get("beside")

    @property
    def is_weighted(self) -> bool:
        return self.cleaned_data.get("weighted") == "on"

    @property
    def query(self) -> str:
        """The address's question, as it was understood."""
        return self._with(beside=self.other.name if self.other else "", weighted=self.is_weighted)

    @property
    def query_toggled(self) -> str:
        """The same with weighted averages, or without where they are shown."""
        return self._with(beside=self.other.name if self.other else "", weighted=not self.is_weighted)

    @property
    def query_alone(self) -> str:
        return self._with(beside="", weighted=self.is_weighted)

    def _with(self, *, beside: str, weighted: bool) -> str:
        said = QueryDict(mutable=True)
        said["policy"] = self.policy.name
        if beside:
            said["beside"] = beside
        if weighted:
            said["weighted"] = "on"
        return said.urlencode()


class SlicesForm(forms.Form):
    """What the page of slices is asked for. What is wrong is said, and the page shows what it shows by itself."""

    by = forms.ChoiceField(
        required=False,
        label="Slice by",
        choices=[
            (SliceBy.SOURCE.value, "source of the prompt"),
            (SliceBy.LENGTH.value, "length of both responses"),
            (SliceBy.GENERATORS.value, "generators"),
        ],
        error_messages={"invalid_choice": f"“%(value)s” is none of {', '.join(SliceBy)}."},
    )
    policy = forms.CharField(required=False, max_length=100, label="Policy")
    run = RunsField(
        queryset=JudgeRun.objects.none(),
        required=False,
        label="Judges",
        help_text=f"Without a choice, the {JUDGES_SHOWN} that are right most often.",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "Run %(value)s does not stand for a judge of this dataset: choose of the list.",
            "invalid_pk_value": "“%(pk)s” is no run: choose of the list.",
        },
    )

    def __init__(self, data: QueryDict, *, dataset: Dataset) -> None:
        super().__init__(data, label_suffix="")
        runs = [run.pk for run in runs_that_count(dataset)]
        self.fields["run"].queryset = (
            JudgeRun.objects.filter(pk__in=runs).select_related("judge").order_by("judge__name", "pk")
        )
        self.has_runs = bool(runs)
        self.chooser = PolicyChooser(data)
        own = [] if self.chooser.is_preset else [self.chooser.policy.name]
        self.fields["policy"].widget = forms.Select(choices=[(name, name) for name in (*PRESETS, *own)])

    def clean_policy(self) -> Policy:
        if self.chooser.error:
            raise forms.ValidationError(self.chooser.error)
        return self.chooser.policy

    @property
    def policy_asked(self) -> Policy:
        return self.chooser.policy

    @property
    def slice_by(self) -> SliceBy:
        return SliceBy(self.cleaned_data.get("by") or SliceBy.SOURCE)

    @property
    def runs(self) -> list[JudgeRun]:
        """Of a form that was validated; what was wrong is not among them."""
        return list(self.cleaned_data.get("run", []))

    @property
    def wrong(self) -> list[str]:
        return [words for errors in self.errors.values() for words in errors]
