"""The review list's filters about labels and adjudications: fields, what is wrong with them, and them in words."""

import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils import timezone

from annotation.models import Adjudication, Choice, Dataset, Flag
from judging.models import JudgeRun
from judging.review.label_filters import (
    Adjudicated,
    AfterReveal,
    Counts,
    Fall,
    Flagged,
    OwnLabel,
    PassedOn,
    Range,
    Rest,
    Revision,
    Side,
    Votes,
)

CHOICES = {"1": Choice.FIRST, "2": Choice.SECOND, "tie": Choice.TIE}
CHOICE_OPTIONS = [("", "Any"), ("1", "1"), ("2", "2"), ("tie", "Tie")]
# Some choice, whichever.
ANY = ("any", "1, 2 or tie")
ANY_FLAG = ("any", "With a flag, whichever")
# A verdict, whether it is one of these or invalid.
SAID = ("given", "any, valid or not")
REST_WORDS = {Rest.SAME: "the same", Rest.OTHER: "another choice", Rest.ANY: "any"}
FALL_WORDS = {
    Fall.UNANIMOUS: "All agree",
    Fall.MAJORITY: "They differ, with a majority",
    Fall.NONE: "They differ, without a majority",
}
NOT_A_CHOICE = {"invalid_choice": "“%(value)s” is none of 1, 2 and tie."}


class RangeField(forms.CharField):
    """Two numbers as LOW-HIGH, where one may be missing; the second is not part of the range, but of Counts.

    Of Counts one number alone is just so many.
    """

    def __init__(self, *, kind: type[Range] = Range, **options: Any):
        super().__init__(**options)
        self.kind = kind

    def to_python(self, said: object) -> Range | None:
        text = super().to_python(said)
        if not text:
            return None
        if self.kind is Counts and re.fullmatch(r"[0-9]{1,9}", text):
            text = f"{text}-{text}"
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)?-([0-9]{1,9}(?:\.[0-9]{1,9})?)?", text)
        if found is None or text == "-":
            raise forms.ValidationError("Write a range as 10-20, from 10 on as 10-, and under 20 as -20.")
        low, high = (None if end is None else float(end) for end in found.groups())
        if low is not None and high is not None and (low > high or (low == high and self.kind is Range)):
            raise forms.ValidationError("The first number of a range is the smaller one.")
        return self.kind(low, high)


def options(words: dict[Any, str], nothing: str = "Any") -> list[tuple[str, str]]:
    return [("", nothing), *((str(key), text) for key, text in words.items())]


def said_words(said: str) -> str:
    return dict([ANY, SAID]).get(said, said)


class LabelFields(forms.Form):
    """The annotator whose label these are about is a field of the form that has these; it knows the dataset, too."""

    dataset: Dataset

    rest = forms.ChoiceField(
        label="Majority of the others", required=False, choices=[*CHOICE_OPTIONS, *options(REST_WORDS)[1:]]
    )
    side = forms.ChoiceField(
        label="Side that they chose",
        required=False,
        choices=options({Side.LEFT: "The left one", Side.RIGHT: "The right one", Side.EITHER: "One of them, known"}),
    )
    seconds = RangeField(label="Seconds to decide, as 5-30", required=False)
    since = forms.DateTimeField(label="Decided from", required=False)
    until = forms.DateTimeField(label="Decided before", required=False)
    after_reveal = forms.ChoiceField(
        label="After the reveal",
        required=False,
        choices=options({AfterReveal.SEEN: "Saw what others said", AfterReveal.CHANGED: "Changed their mind"}),
    )
    labels = RangeField(kind=Counts, label="Labels of the pair, as 3 or 2-4", required=False)
    raters = forms.CharField(label="Runs that count as a label, as 3,5", required=False, max_length=2000)
    fall = forms.ChoiceField(label="How people's labels fall", required=False, choices=options(FALL_WORDS))
    flag = forms.ChoiceField(
        label="Flagged by the annotator, or anybody", required=False, choices=[*options(dict(Flag.choices)), ANY_FLAG]
    )
    skipped = forms.ChoiceField(
        label="Passed on by the annotator, or anybody", required=False, choices=options({"yes": "Yes"})
    )
    guideline = forms.CharField(label="Guidelines, as a revision's number or none", required=False, max_length=9)
    adjudicated = forms.ChoiceField(
        label="Adjudicated", required=False, choices=options({"yes": "Yes", "no": "Not yet"})
    )
    cause = forms.ChoiceField(label="Cause", required=False, choices=options(dict(Adjudication.Cause.choices)))
    length = RangeField(label="Characters of both, as 0-400", required=False)
    verdict2 = forms.ChoiceField(
        label="Verdict of the other run", required=False, choices=[*CHOICE_OPTIONS, ANY], error_messages=NOT_A_CHOICE
    )

    # Those that speak of the annotator's label.
    OF_LABEL = ("rest", "side", "seconds", "since", "until", "after_reveal")
    LABEL_FIELDS = (
        *(*OF_LABEL, "labels", "raters", "fall", "flag", "skipped", "guideline"),
        *("adjudicated", "cause", "length", "verdict2"),
    )

    def clean_guideline(self) -> Revision | None:
        said = self.cleaned_data["guideline"]
        if not said:
            return None
        if said == "none":
            return Revision(None)
        found = self.dataset.guidelines.filter(number=said).first() if said.isdecimal() else None
        if found is None:
            raise forms.ValidationError("The guidelines have no such revision: write its number, or none.")
        return Revision(found)

    def clean_labels(self) -> Range | None:
        said = self.cleaned_data["labels"]
        if said and (said.low is None or said.low < 1):
            raise forms.ValidationError("Only pairs with labels are found by how many: begin with 1, as 1-3.")
        return said

    def clean_raters(self) -> tuple[JudgeRun, ...]:
        said = [number.strip() for number in self.cleaned_data["raters"].split(",") if number.strip()]
        known = {number for number in said if number.isdecimal() and len(number) < 10}
        runs = JudgeRun.objects.filter(dataset=self.dataset, pk__in=known).order_by("pk")
        if len(runs) < len(set(said)):
            raise forms.ValidationError("This dataset has no such runs: write their numbers, as 3,5.")
        return tuple(runs)

    def check_labels(self, said: dict[str, Any]) -> None:
        of_label = any(said.get(name) for name in self.OF_LABEL)
        if of_label and not said.get("annotator") and "annotator" not in self.errors:
            self.add_error("annotator", "Choose whose label is meant.")
        of_own = ("choice", *self.OF_LABEL, "flag", "guideline")
        if said.get("skipped") and said.get("annotator") and any(said.get(name) for name in of_own):
            self.add_error("skipped", "Who passes a pair on does not label it: choose one or the other.")
        if said.get("annotator2") and not said.get("annotator") and (said.get("flag") or said.get("guideline")):
            self.add_error("annotator", "Choose whose label is meant: the first annotator's is.")
        if said.get("verdict2") and not said.get("other") and "other" not in self.errors:
            self.add_error("other", "Choose the other run whose verdict is meant.")
        if said.get("raters") and not said.get("labels") and "labels" not in self.errors:
            self.add_error("labels", "Say how many labels a pair has, with the runs as labels: 2- is two or more.")
        if said.get("cause") and said.get("adjudicated") == "no":
            self.add_error("cause", "A pair that is not adjudicated has no cause: choose one or the other.")

    @property
    def own_label(self) -> OwnLabel:
        """Of a valid form, as those below."""
        said = self.cleaned_data
        rest = said["rest"]
        return OwnLabel(
            rest=(CHOICES[rest] if rest in CHOICES else Rest(rest)) if rest else None,
            side=Side(said["side"]) if said["side"] else None,
            seconds=said["seconds"],
            since=said["since"],
            until=said["until"],
            after_reveal=AfterReveal(said["after_reveal"]) if said["after_reveal"] else None,
            revision=said["guideline"],
            flag=self._flagged,
        )

    @property
    def _flagged(self) -> Flagged | None:
        said = self.cleaned_data["flag"]
        return Flagged(None if said == ANY_FLAG[0] else Flag(said)) if said else None

    @property
    def passed_on(self) -> PassedOn | None:
        return PassedOn(self.cleaned_data["annotator"]) if self.cleaned_data["skipped"] else None

    @property
    def votes(self) -> Votes:
        said = self.cleaned_data
        return Votes(labels=said["labels"], runs=said["raters"], fall=Fall(said["fall"]) if said["fall"] else None)

    @property
    def adjudication_asked(self) -> Adjudicated:
        said = self.cleaned_data
        return Adjudicated(
            done={"yes": True, "no": False}.get(said["adjudicated"]),
            cause=Adjudication.Cause(said["cause"]) if said["cause"] else None,
        )

    def label_words(self) -> Iterator[tuple[str, str]]:
        """(field, in words) of each that is set."""
        said = self.cleaned_data
        if rest := said["rest"]:
            words = REST_WORDS[Rest(rest)] if rest in list(Rest) else rest
            yield "rest", f"majority of the others: {words}"
        if said["side"]:
            yield "side", "chose a side" if said["side"] == Side.EITHER else f"chose the {said['side']} side"
        if said["seconds"]:
            yield "seconds", f"{said['seconds'].words} seconds"
        for name, words in (("since", "from"), ("until", "before")):
            if said[name]:
                yield name, f"decided {words} {timezone.localtime(said[name]):%-d %b %Y, %H:%M}"
        if said["after_reveal"]:
            yield (
                "after_reveal",
                {"seen": "saw what others said", "changed": "changed after the reveal"}[said["after_reveal"]],
            )
        if said["labels"]:
            also = f", with {', '.join(str(run.judge) for run in said['raters'])}" if said["raters"] else ""
            yield "labels", f"labels: {said['labels'].words}{also}"
        if said["fall"]:
            yield "fall", f"people's labels: {FALL_WORDS[Fall(said['fall'])].lower()}"
        if self._flagged:
            kind = self._flagged.kind
            yield "flag", f"flagged: {kind.label.lower()}" if kind else "flagged"
        if said["skipped"] and not said["annotator"]:
            yield "skipped", "passed on by somebody"
        if said["guideline"]:
            made_by = said["guideline"].guideline
            yield "guideline", f"made by revision {made_by.number}" if made_by else "made without guidelines"
        if said["adjudicated"]:
            yield "adjudicated", "adjudicated" if said["adjudicated"] == "yes" else "not adjudicated yet"
        if said["cause"]:
            yield "cause", f"cause: {Adjudication.Cause(said['cause']).label.lower()}"
        if said["length"]:
            yield "length", f"responses of {said['length'].words} characters"
        if said["verdict2"]:
            yield "verdict2", f"the other run says {said_words(said['verdict2'])}"
