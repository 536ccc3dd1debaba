"""The forms that write a prompt template and choose the pair that it is tried on."""

from django import forms
from django.core.exceptions import ValidationError

from annotation.models import Dataset, User
from annotation.prose import Prose
from judging.judge_forms import DatasetChoice
from judging.models import PromptTemplate
from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Texts
from judging.prompts.placeholders import END, NAMES, SECTION
from judging.prompts.preview import SHOWN, Preview, pair_to_show, preview_of
from judging.prompts.versions import FIELDS, Version, save_template
from judging.prompts.written import errors_in, template_of, tidied

LONGEST = 20_000
HELP = {
    "prompt": "What is judged, and in the last line what is asked for, as ### Evaluation: The judge goes on below it "
    "with 1, 2 or Tie.",
    "system": "What the judge is to look at. How to answer is added below it; the preview shows it.",
    "user": "What is judged.",
}
ROWS = {"prompt": 18, "system": 12, "user": 14}


def text_field(name: str) -> forms.CharField:
    return Prose(
        label=FIELDS[COMPLETION].get(name) or FIELDS[CHAT][name],
        required=name != "system",
        max_length=LONGEST,
        help_text=HELP[name],
        widget=forms.Textarea(attrs={"rows": ROWS[name], "class": "mono template-text", "spellcheck": "false"}),
        error_messages={"required": "Write what the judge is to read, with its placeholders."},
    )


class TemplateForm(forms.Form):
    """A new template, or the next version of `earlier`. trying: it is only looked at, so it needs no name yet."""

    name = forms.CharField(
        max_length=40,
        help_text="Small letters, digits and hyphens, as strict-facts. The version is added: strict-facts@1.",
        error_messages={"required": "Give it a name: judges call it by that."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    about = forms.CharField(
        label="What it is for",
        max_length=200,
        help_text="A line that the form of a new judge shows beside the name.",
        error_messages={"required": "Say in a line what it is for: others choose by that."},
    )
    newest = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: object, kind: str, earlier: Version | None, trying: bool, **options: object):
        super().__init__(*args, **options)
        self.kind, self.earlier = kind, earlier
        for name in FIELDS[kind]:
            self.fields[name] = text_field(name)
        if kind == CHAT:
            self.fields["answer"] = forms.ChoiceField(
                label="How it answers", choices=PromptTemplate.Answer, initial=JSON
            )
        if earlier:
            del self.fields["name"]
        self.trying = trying

    def clean(self) -> dict:
        if self.trying:
            for name in ("name", "about"):
                self.errors.pop(name, None)
        if "newest" in self.errors:
            # Hidden, so nobody would see what is wrong with it.
            raise ValidationError("This form is broken. Copy what you wrote, open the page anew and send it again.")
        for field, said in errors_in(self._texts(self.cleaned_data)).items():
            if field in self.cleaned_data:
                self.add_error(field, said)
        return self.cleaned_data

    def _texts(self, given: dict) -> Texts:
        parts = {name: given.get(name, "") for name in FIELDS[self.kind]}
        return tidied(Texts(self.kind, given.get("answer", PANDALM), **parts))

    @property
    def trouble(self) -> list[str]:
        """What is wrong with the texts, each with its label."""
        return [
            f"{self.fields[name].label}: {said}" for name in FIELDS[self.kind] for said in self.errors.get(name, [])
        ]

    def texts(self) -> Texts | None:
        """None where something is wrong with them."""
        return None if self.trouble else self._texts(self.cleaned_data)

    def save(self, *, by: User) -> PromptTemplate | None:
        """The row, or None with the reasons among the form's errors."""
        given = self.cleaned_data
        try:
            return save_template(
                name=self.earlier.name if self.earlier else given["name"],
                about=given["about"],
                texts=self._texts(given),
                newest=given["newest"],
                by=by,
            )
        except ValidationError as error:
            self.add_error(None, error)
            return None


class PreviewForm(forms.Form):
    dataset = DatasetChoice()
    order = forms.ChoiceField(choices=[("given", "As given"), ("swapped", "Other way round")])
    reasons = forms.BooleanField(label="Ask for a reason as well", required=False)
    pair = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: object, user: User, kind: str, **options: object):
        super().__init__(*args, **options)
        self.fields["dataset"].queryset = Dataset.objects.visible_to(user)
        if kind == COMPLETION:
            # What a checkpoint writes behind its choice is not asked for in its text.
            del self.fields["reasons"]

    def preview(self, texts: Texts, *, name: str) -> Preview | None:
        """None where the form or the dataset shows no pair; the reason is among the errors."""
        if not self.is_valid():
            return None
        given, which = self.cleaned_data, self.data.get("preview", SHOWN)
        pair = pair_to_show(dataset=given["dataset"], which=which, shown=given["pair"])
        if pair is None:
            self.add_error("dataset", "This dataset has no pairs yet: choose another.")
            return None
        return preview_of(
            template=template_of(name, texts),
            pair=pair,
            swapped=given["order"] == "swapped",
            reasons=given.get("reasons", False),
        )


PLACEHOLDERS = [
    *zip(
        (f"{{{name}}}" for name in NAMES),
        (
            "The prompt's instruction.",
            "Its input, which may be empty.",
            "The response that is shown first.",
            "The response that is shown second.",
            "The prompt's reference. A pair without one is not asked about: its verdict fails and says why.",
        ),
        strict=True,
    ),
    (f"{SECTION} … {END}", "What stands between is left out where the prompt has no input."),
    ("{{ and }}", "Braces of the text's own."),
]
