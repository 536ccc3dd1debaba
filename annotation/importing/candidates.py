"""Ready answers of generators to the same prompts: out of a file of prompts and a file a generator, or the database.

Prompts and answers are told apart by instruction and input, with white space at either end left away: files of answers
often have a line break more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.importing.fields import Fields
from annotation.importing.problems import Problems, UnreadableError
from annotation.importing.reading import open_rows
from annotation.models import Dataset, Generator, Prompt, Response
from annotation.pairing import Answered

ANSWER = ("response", "output")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """A prompt as it will be stored; `name` is what its file calls it."""

    instruction: str
    input: str = ""
    source: str = ""
    reference: str = ""
    name: str = ""

    @property
    def key(self) -> Key:
        return self.instruction.strip(), self.input.strip()


@dataclass(slots=True)
class Answers:
    """texts: by the prompt's index. other: rows about prompts that were not asked. empty: those without any text."""

    texts: dict[int, str] = field(default_factory=dict)
    other: int = 0
    empty: int = 0


@dataclass(slots=True)
class Candidates:
    """by_generator is in the order in which they were named."""

    prompts: list[AskedPrompt]
    by_generator: dict[str, Answers]

    @property
    def answered(self) -> Answered:
        """(generators, prompts)"""
        found = np.zeros((len(self.by_generator), len(self.prompts)), dtype=bool)
        for row, answers in zip(found, self.by_generator.values(), strict=True):
            row[list(answers.texts)] = True
        return found


def read_prompts(path: str, *, name: str, problems: Problems) -> list[AskedPrompt]:
    """Prompts of a file: `instruction` with `input`, or self-instruct's `instances`. A prompt may stand there once."""
    found: list[AskedPrompt] = []
    lines: dict[Key, int] = {}
    for fields in _rows(path, name, problems):
        prompt = _prompt_of(fields)
        if prompt is None:
            continue
        first = lines.setdefault(prompt.key, fields.line)
        if first != fields.line:
            message = f"Line {first} has the same instruction and input. Remove one of the two."
            problems.error(fields.line, "instruction", message, prompt.instruction)
        found.append(prompt)
    if not found and not problems.errors:
        problems.error(None, "", "There is no prompt in this file. Choose one with at least one row in it.")
    return found


def read_answers(path: str, *, name: str, prompts: dict[Key, int], problems: Problems) -> Answers:
    """One generator's answers, as `response` or `output` beside `instruction` and `input`, to prompts by their key."""
    answers = Answers()
    lines: dict[int, int] = {}
    for fields in _rows(path, name, problems):
        before = problems.errors
        asked = AskedPrompt(fields.text("instruction", required=True), fields.text("input"))
        text = _answer_of(fields)
        if text is None or problems.errors > before:
            continue
        index = prompts.get(asked.key)
        if index is None:
            answers.other += 1
            message = "No prompt has this instruction and input: the answer is left out."
            problems.warning(fields.line, "instruction", message, asked.instruction)
            continue
        first = lines.setdefault(index, fields.line)
        if first != fields.line:
            message = f"Line {first} answers the same prompt. Keep one answer a prompt."
            problems.error(fields.line, "instruction", message, asked.instruction)
            continue
        if not text.strip():
            answers.empty += 1
            problems.warning(fields.line, "response", "The answer is empty: it is compared as an empty response.")
        answers.texts[index] = text
    if not answers.texts and not problems.errors:
        problems.error(None, "", "No row of this file answers one of the prompts. Are these answers to other prompts?")
    return answers


def stored_candidates(*, dataset: Dataset, generators: list[str]) -> Candidates:
    """What generators have answered to a dataset's prompts; of several answers to one prompt the newest."""
    asked = Prompt.objects.filter(pk__in=dataset.pairs.values("prompt")).order_by("pk")
    places: dict[int, int] = {}
    prompts = []
    for place, prompt in enumerate(asked.iterator()):
        places[prompt.pk] = place
        prompts.append(AskedPrompt(prompt.instruction, prompt.input, prompt.source, prompt.reference))
    candidates = Candidates(prompts, {name: Answers() for name in generators})
    responses = Response.objects.filter(generator__name__in=generators, prompt__in=asked.values("pk")).order_by("pk")
    for name, prompt_id, text in responses.values_list("generator__name", "prompt", "text").iterator():
        candidates.by_generator[name].texts[places[prompt_id]] = text
    for answers in candidates.by_generator.values():
        answers.empty = sum(not text.strip() for text in answers.texts.values())
    return candidates


def generators_with_answers(dataset: Dataset) -> list[Generator]:
    """Those with a response to a prompt of the dataset, by name."""
    prompts = dataset.pairs.values("prompt")
    found = Response.objects.filter(prompt__in=prompts, generator__isnull=False).values("generator")
    return list(Generator.objects.filter(pk__in=found))


def _rows(path: str, name: str, problems: Problems) -> Iterator[Fields]:
    try:
        file, reader = open_rows(path, name=name, problems=problems)
    except UnreadableError as error:
        problems.error(error.line, "", error.message, error.value)
        return
    with file:
        for row in reader:
            yield Fields(row.values, line=row.line, problems=problems)


def _prompt_of(fields: Fields) -> AskedPrompt | None:
    before = fields.problems.errors
    instruction = fields.text("instruction", required=True)
    inside = _only_instance(fields) if "instances" in fields else fields
    given = inside.text("input")
    reference = _first_text(inside, ("reference", "output", "target"))
    source = _first_text(fields, ("source", "motivation_app"))
    name = fields.id("id") or fields.id("idx")
    if fields.problems.errors > before:
        return None
    return AskedPrompt(instruction, given, source, reference, name)


def _only_instance(fields: Fields) -> Fields:
    """self-instruct has a list of inputs an instruction; one prompt a row is what can be answered."""
    instances: Any = fields.take("instances")
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
        fields.error("instances", "instances must be a list of one object. Write a row for each input.", instances)
        return fields.of("instances", {})
    return fields.of("instances", instances[0])


def _first_text(fields: Fields, names: tuple[str, ...]) -> str:
    return next((fields.text(name) for name in names if name in fields), "")


def _answer_of(fields: Fields) -> str | None:
    name = next((name for name in ANSWER if name in fields), None)
    if name is None:
        fields.error("response", "response (or output) is missing: every row needs the generator's answer.")
        return None
    return fields.text(name, required=True)
