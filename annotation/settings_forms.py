"""A dataset's settings: one page, one form of each section, all of them saved together.

Whoever adds a setting writes it into the section that it belongs to, or adds a section to SECTIONS.
"""

import re

from django import forms
from django.db import transaction

from annotation.models import Dataset
from annotation.remarks import PAPERS_ASPECTS
from annotation.settings_assignment import OrderSection, PeopleSection
from annotation.settings_section import Section, between

_ASPECT = re.compile(r"[^\W_][\w -]{0,29}")
_MOST_ASPECTS = 12


class OnboardingSection(Section):
    title = "Onboarding and control pairs"
    about = (
        "Control pairs have a known answer. They serve for practice, for a qualification round before somebody labels, "
        "and mixed in unseen while they label."
    )

    class Meta:
        model = Dataset
        fields = ["pass_percent", "result_shows", "control_percent", "on_failing", "least_seconds"]
        labels = {
            "pass_percent": "Pass mark, in percent",
            "result_shows": "After the qualification round, the annotator sees",
            "control_percent": "Control pairs mixed in, in percent",
            "on_failing": "When somebody's control answers fall below the pass mark",
            "least_seconds": "Seconds that a decision should take at least",
        }
        help_texts = {
            "pass_percent": "Of the qualification pairs, how many must be right before somebody labels. "
            "It holds for mixed-in pairs, too. Empty: no qualification, and nobody fails.",
            "control_percent": "Of the pairs that an annotator meets, how many are control pairs: 0 to 50. "
            "Nobody can tell them from others, and their answers are no labels.",
            "on_failing": "Looked at over the last 20 control pairs, from the fifth on. No label is ever deleted.",
            "least_seconds": "Who is faster in more than a third of their last 30 decisions is told kindly, and "
            "reviewers see it. Empty: nobody is told.",
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        for name, most in (("pass_percent", 100), ("control_percent", 50)):
            field = self.fields[name]
            field.max_value = field.widget.attrs["max"] = most
            field.widget.attrs["min"] = 0
        self.fields["least_seconds"].widget.attrs |= {"min": 0, "step": "any"}

    def clean_pass_percent(self) -> int | None:
        return between(self.cleaned_data["pass_percent"], 1, 100)

    def clean_control_percent(self) -> int | None:
        return between(self.cleaned_data["control_percent"], 0, 50)

    def clean_least_seconds(self) -> float | None:
        seconds: float | None = self.cleaned_data["least_seconds"]
        if seconds is not None and not 0 < seconds <= 3600:
            raise forms.ValidationError("Choose more than 0 and at most 3600 seconds, or leave it empty.")
        return seconds


class RevealSection(Section):
    title = "Reveal"
    about = "Labels are made blind. After that, people learn from what others said."

    class Meta:
        model = Dataset
        fields = ["reveals"]
        labels = {"reveals": "After a decision, let the annotator see what peers and judges said"}
        help_texts = {
            "reveals": "From then on their label does not change any more. What they say after it is kept apart "
            "and counted as changed after the reveal."
        }


class RemarksSection(Section):
    title = "What is asked of each pair"
    about = "Beside the choice, which is one key. The less is asked, the quicker people are."

    aspects = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Aspects",
        help_text="Annotators may say for each which response is better. The first six are those of the PandaLM paper.",
    )
    own_aspects = forms.CharField(
        required=False,
        max_length=200,
        label="Further aspects",
        help_text="Separated by commas, as in: safety, use of sources.",
    )

    class Meta:
        model = Dataset
        fields = ["rationale", "rationale_characters", "aspects", "asks_confidence"]
        labels = {
            "rationale": "Rationale: why the one is better",
            "rationale_characters": "Characters that a rationale has at least",
            "asks_confidence": "Ask how sure they are",
        }
        help_texts = {
            "rationale_characters": "0: any. Where a rationale is optional, it holds for those that are written."
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        known = dict.fromkeys([*PAPERS_ASPECTS, *self.instance.aspects])
        self.fields["aspects"].choices = [(name, name.capitalize()) for name in known]

    def clean_rationale_characters(self) -> int | None:
        return between(self.cleaned_data["rationale_characters"], 0, 2000)

    def clean_own_aspects(self) -> list[str]:
        names = [" ".join(name.lower().split()) for name in self.cleaned_data["own_aspects"].split(",")]
        for name in filter(None, names):
            if not _ASPECT.fullmatch(name):
                raise forms.ValidationError(
                    f"“{name}” is no name for an aspect: take up to 30 letters, spaces, hyphens."
                )
        return list(filter(None, names))

    def clean(self) -> dict[str, object]:
        given = super().clean()
        given["aspects"] = list(dict.fromkeys([*given.get("aspects", []), *given.get("own_aspects", [])]))
        if len(given["aspects"]) > _MOST_ASPECTS:
            self.add_error("own_aspects", f"{_MOST_ASPECTS} aspects at most: people tire.")
        return given

    def store(self) -> None:
        self.instance.save(update_fields=self.Meta.fields)


SECTIONS: list[type[Section]] = [PeopleSection, OrderSection, RemarksSection, OnboardingSection, RevealSection]


def sections_of(dataset: Dataset, data: object = None) -> list[Section]:
    """Every section of the page, with what was sent where something was."""
    return [section(data, instance=dataset) for section in SECTIONS]


def are_valid(sections: list[Section]) -> bool:
    """Each section is asked, so that all errors are told at once."""
    return False not in [section.is_valid() for section in sections]


def save_sections(sections: list[Section]) -> None:
    """All of them or none."""
    with transaction.atomic():
        for section in sections:
            section.store()
