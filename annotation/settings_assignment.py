"""Sections of a dataset's settings: who labels how much, and who gets which pair when."""

from django import forms

from annotation.dataset_settings import rearrange
from annotation.models import Dataset, Role, User
from annotation.pools import set_pool, set_quotas
from annotation.settings_section import Section, between

MOST_FURTHER = 9
LONGEST_CLAIM = 24 * 60


class OrderSection(Section):
    title = "Order and claims"
    about = "Which pair an annotator gets next, and for how long it is theirs."

    class Meta:
        model = Dataset
        fields = ["pair_order", "shuffled", "labels_on_split", "claim_minutes"]
        labels = {
            "pair_order": "Order of the pairs",
            "shuffled": "Shuffle, and let each annotator begin at a place of their own",
            "labels_on_split": "Further labels where people differ",
            "claim_minutes": "Minutes that a pair stays with an annotator",
        }
        help_texts = {
            "pair_order": "“Least sure” goes by the probabilities of the newest judge run that gives them. Pairs "
            "without any come last.",
            "shuffled": "Within the order above. Pairs are completed later than without it, because people begin at "
            "different places.",
            "labels_on_split": "Once a pair has all its labels and they are not all the same, it asks for as many "
            "more, before anything else. 0: for none.",
            "claim_minutes": "Counted from the last sign of work on it. After that somebody else may take the pair.",
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        for name, least, most in (("labels_on_split", 0, MOST_FURTHER), ("claim_minutes", 1, LONGEST_CLAIM)):
            self.fields[name].widget.attrs |= {"min": least, "max": most}

    def clean_labels_on_split(self) -> int | None:
        return between(self.cleaned_data["labels_on_split"], 0, MOST_FURTHER)

    def clean_claim_minutes(self) -> int | None:
        return between(self.cleaned_data["claim_minutes"], 1, LONGEST_CLAIM)

    def store(self) -> None:
        super().store()
        if {"pair_order", "shuffled", "labels_on_split"} & set(self.changed_data):
            self.job = rearrange(dataset=self.instance)


class PeopleSection(Section):
    title = "People and quotas"
    about = "Who labels this dataset, and how much. Both may change at any time: labels that were given stay."

    quotas = forms.CharField(
        label="Quotas of single people",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="A line each: a user name, a space, and how many labels they may give. It goes before that of all.",
    )

    class Meta:
        model = Dataset
        fields = ["everyone_labels", "annotators", "quota"]
        labels = {
            "everyone_labels": "Every annotator labels it",
            "annotators": "If not, these",
            "quota": "Labels that one annotator may give",
        }
        help_texts = {
            "everyone_labels": "Also those who join later.",
            "annotators": "Whose tick is taken away keeps their labels; the pair before them goes to others.",
            "quota": "Empty: as many as they like.",
        }
        widgets = {"annotators": forms.CheckboxSelectMultiple}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["annotators"].queryset = User.objects.filter(role=Role.ANNOTATOR, is_active=True).order_by(
            "username"
        )
        self.fields["quota"].widget.attrs["min"] = 1
        quotas = self.instance.quotas.select_related("annotator").order_by("annotator__username")
        self.initial["quotas"] = "\n".join(f"{quota.annotator.username} {quota.labels}" for quota in quotas)

    def clean_quota(self) -> int | None:
        quota: int | None = self.cleaned_data["quota"]
        if quota == 0:
            raise forms.ValidationError("With 0 nobody could label. Leave it empty, or take people out of the list.")
        return quota

    def clean_quotas(self) -> dict[User, int]:
        """By person. Every line that is none, or names nobody, is told with its number."""
        people = {user.username: user for user in User.objects.filter(role=Role.ANNOTATOR)}
        found: dict[User, int] = {}
        problems: list[str] = []
        for place, line in enumerate(self.cleaned_data["quotas"].splitlines(), 1):
            name, _, number = line.strip().rpartition(" ")
            if not line.strip():
                continue
            if not number.isascii() or not number.isdigit() or len(number) > 9:
                problems.append(f"Line {place}: write a user name, a space and a number, like “anna 200”.")
            elif (person := people.get(name.strip())) is None:
                problems.append(f"Line {place}: no annotator is called “{name.strip()}”.")
            elif person in found:
                problems.append(f"Line {place}: {person} has a quota above already.")
            else:
                found[person] = int(number)
        if problems:
            raise forms.ValidationError(problems)
        return found

    def store(self) -> None:
        self.instance.save(update_fields=["quota"])
        set_pool(
            dataset=self.instance,
            everyone=self.cleaned_data["everyone_labels"],
            annotators=self.cleaned_data["annotators"],
        )
        set_quotas(dataset=self.instance, labels=self.cleaned_data["quotas"])
