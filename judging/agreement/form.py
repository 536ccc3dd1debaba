"""What the agreement page is asked for: judges to be looked at as raters, and how time is cut."""

from django import forms
from django.http import QueryDict

from annotation.models import Dataset
from judging.agreement.rows import By
from judging.models import JudgeRun
from judging.scores.evidence import runs_that_count


class RunsField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, run: JudgeRun) -> str:
        return f"{run.judge} (run {run.pk})"


class AgreementForm(forms.Form):
    """Bound to the query string. What is wrong in it is said, and the page shows people alone."""

    run = RunsField(
        queryset=JudgeRun.objects.none(),
        required=False,
        label="Judges as raters",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "Run %(value)s does not stand for a judge of this dataset: choose of the list.",
            "invalid_pk_value": "“%(pk)s” is no run: choose of the list.",
        },
    )
    by = forms.ChoiceField(
        required=False,
        label="Over time",
        choices=[(By.HUNDREDS.value, "by hundred labels"), (By.WEEKS.value, "by week")],
        error_messages={"invalid_choice": f"“%(value)s” is none of {', '.join(By)}."},
    )

    def __init__(self, data: QueryDict, *, dataset: Dataset) -> None:
        super().__init__(data, label_suffix="")
        runs = [run.pk for run in runs_that_count(dataset)]
        ordered = JudgeRun.objects.filter(pk__in=runs).select_related("judge").order_by("judge__name", "pk")
        self.fields["run"].queryset = ordered
        self.has_runs = bool(runs)
        self.dataset = dataset

    @property
    def runs(self) -> list[JudgeRun]:
        """Of a form that was validated; what was wrong is not among them."""
        return list(self.cleaned_data.get("run", []))

    @property
    def stretches(self) -> By:
        return By(self.cleaned_data.get("by") or By.HUNDREDS)

    @property
    def wrong(self) -> list[str]:
        return [words for errors in self.errors.values() for words in errors]
