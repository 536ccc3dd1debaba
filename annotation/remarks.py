"""What an annotator says beside the choice: why, by aspect, how sure, and what is wrong with the pair.

In a person's own terms 1 is the left response; stored, 1 is the pair's own response 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from annotation.labeling import aspects_in_other_terms
from annotation.models import Choice, Confidence, Dataset, Flag, Label

# The aspects of the PandaLM paper (arXiv 2306.05087), each with what it asks.
PAPERS_ASPECTS = {
    "correctness": "Is what it says true?",
    "conciseness": "Does it say no more than is needed?",
    "clarity": "Is it plain what it means?",
    "comprehensiveness": "Does it cover what was asked?",
    "formality": "Does its tone fit?",
    "adherence": "Does it do what the instruction says?",
}
CHOICES = {"1": Choice.FIRST, "2": Choice.SECOND, "tie": Choice.TIE}
WRITTEN = {int(choice): value for value, choice in CHOICES.items()}


@dataclass(frozen=True, slots=True)
class Remarks:
    """In the terms of what is shown. Values are as they stand in the form: "1", "2", "tie"; confidence a number."""

    rationale: str = ""
    aspects: Mapping[str, str] = field(default_factory=dict)
    confidence: int | None = None
    flag: str = ""

    @classmethod
    def of_label(cls, label: Label, *, swapped: bool) -> Self:
        return cls(label.rationale, _shown(label.aspects, swapped=swapped), label.confidence, label.flag)

    @classmethod
    def of_draft(cls, fields: Mapping[str, Any], *, swapped: bool) -> Self:
        """From `stored`, for a side that may be another by now."""
        aspects = _shown(fields.get("aspects", {}), swapped=swapped)
        return cls(fields.get("rationale", ""), aspects, fields.get("confidence"), fields.get("flag", ""))

    @classmethod
    def of_form(cls, data: Mapping[str, str], *, dataset: Dataset) -> Self:
        """From what was sent, right or wrong: it is shown again as it was."""
        sent = {name: data.get(aspect_field(name), "") for name in dataset.aspects}
        confidence = data.get("confidence", "")
        return cls(
            data.get("rationale", ""),
            {name: value for name, value in sent.items() if value in CHOICES},
            int(confidence) if confidence in map(str, Confidence.values) else None,
            data.get("flag", ""),
        )

    def stored(self, *, swapped: bool) -> dict[str, Any]:
        """For a draft: only what was said, aspects in the pair's own terms. Empty where nothing was."""
        own = aspects_in_other_terms({name: CHOICES[value] for name, value in self.aspects.items()}, swapped=swapped)
        said = {"rationale": self.rationale, "aspects": own, "confidence": self.confidence, "flag": self.flag}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    words: str
    keys: str
    """Single keys that pick it while its group has the focus."""
    chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """One question with its answers, as radio buttons; the empty value takes an answer back."""

    name: str
    legend: str
    help: str
    options: list[Option]


def aspect_field(aspect: str) -> str:
    return f"aspect-{aspect}"


def aspect_words(aspect: str) -> str:
    return aspect.capitalize()


def said_by_aspect(stored: Mapping[str, int]) -> list[tuple[str, Choice]]:
    """(aspect, which response is better in it), in the pair's own terms, as stored."""
    return [(aspect_words(name), Choice(choice)) for name, choice in sorted(stored.items())]


def questions(dataset: Dataset, remarks: Remarks) -> list[Group]:
    """What the dataset asks beside the choice and the rationale."""
    groups = [
        _group(
            aspect_field(name),
            aspect_words(name),
            [("1", "1", "1a"), ("tie", "tie", "0e"), ("2", "2", "2b"), ("", "\N{EN DASH}", "x")],
            remarks.aspects.get(name, ""),
            help=PAPERS_ASPECTS.get(name, ""),
        )
        for name in dataset.aspects
    ]
    if dataset.asks_confidence:
        options = [*((str(value), words, str(value)) for value, words in Confidence.choices), ("", "\N{EN DASH}", "x0")]
        groups.append(_group("confidence", "How sure are you?", options, str(remarks.confidence or "")))
    return groups


def flag_question(flag: str) -> Group:
    kinds = [(value, words, str(number)) for number, (value, words) in enumerate(Flag.choices, 1)]
    return _group("flag", "What is wrong with this pair?", [*kinds, ("", "Nothing: no flag", "0x")], flag)


def _group(name: str, legend: str, options: list[tuple[str, str, str]], chosen: str, *, help: str = "") -> Group:  # noqa: A002
    return Group(name, legend, help, [Option(value, words, keys, value == chosen) for value, words, keys in options])


def _shown(aspects: Mapping[str, int], *, swapped: bool) -> dict[str, str]:
    return {name: WRITTEN[choice] for name, choice in aspects_in_other_terms(aspects, swapped=swapped).items()}
