"""Sending labels back: one with a comment, or many of earlier guidelines together."""

import secrets

from django import forms
from django.http import QueryDict

from annotation.models import Dataset, User
from annotation.prose import Prose
from annotation.rework_rounds import NO_REVISION, Asked

MOST_SEED = 2**31 - 1


class SendBackForm(forms.Form):
    comment = Prose(
        label="What should they look at again?",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The annotator reads this. Do not tell what others said, or whom you agree with.",
        error_messages={"required": "Say what to look at: without that nobody knows what is asked."},
    )


class LookAgainForm(forms.Form):
    """Which labels of earlier revisions go back. Bound to the address first: it is looked at before it is done."""

    revisions = forms.TypedMultipleChoiceField(
        label="Labels made by",
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one revision whose labels are to be looked at again."},
    )
    annotators = forms.ModelMultipleChoiceField(
        User.objects.none(),
        label="Of these annotators only",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: of everybody.",
    )
    sample = forms.IntegerField(
        label="Only a random sample of so many labels", required=False, min_value=1, help_text="Empty: all of them."
    )
    seed = forms.IntegerField(required=False, min_value=0, max_value=MOST_SEED, widget=forms.HiddenInput)
    comment = Prose(
        label="A word to the annotators",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="They read the new guidelines anyway. Say here what has changed.",
    )

    def __init__(self, data: QueryDict | None, *, dataset: Dataset, revisions: list[tuple[int, str]]) -> None:
        super().__init__(data, label_suffix="", initial={"revisions": [number for number, _ in revisions]})
        self.dataset = dataset
        self.fields["revisions"].choices = revisions
        labelled = dataset.annotators.all() if not dataset.everyone_labels else User.objects.all()
        people = labelled.filter(is_active=True, labels__pair__dataset=dataset, labels__isnull=False)
        self.fields["annotators"].queryset = people.distinct().order_by("username")

    def clean_seed(self) -> int:
        """One is drawn where none came along; it stays the same from the question to the answer."""
        seed = self.cleaned_data["seed"]
        return secrets.randbelow(MOST_SEED) if seed is None else seed

    @property
    def asked(self) -> Asked:
        """Of a valid form."""
        said = self.cleaned_data
        return Asked(
            dataset=self.dataset,
            revisions=tuple(said["revisions"]),
            annotators=tuple(person.pk for person in said["annotators"]),
            sample=said["sample"],
            seed=said["seed"],
        )


class TellForm(forms.Form):
    """Sent with a LookAgainForm: how many labels the person was told of."""

    told = forms.IntegerField()


class KeepForm(forms.Form):
    showing = forms.CharField()


def revision_choices(counts: dict[int, int], *, newest: int) -> list[tuple[int, str]]:
    """The revisions before the newest by which labels were made: number, and in words with how many."""
    words = {NO_REVISION: "No guidelines"}
    return [
        (number, f"{words.get(number, f'Revision {number}')}: {n:,} label{'' if n == 1 else 's'}")
        for number, n in sorted(counts.items())
        if n and number < newest
    ]
