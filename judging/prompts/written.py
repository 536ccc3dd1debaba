"""From the texts of a prompt template to what asks a judge by them, and what is wrong with texts. Pure.

The rules of docs/researchers.md, "Prompt templates": what is judged stands in the completion text or the user text; how
to answer is added to the system text of a chat, while a completion ends where the answer begins.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Asked, Message, Template, Texts
from judging.prompts.parsing import parse_json, parse_pandalm
from judging.prompts.placeholders import SECTION, BadTextError, Piece, fill, names_in, read
from judging.prompts.steering import marks_of

# As WeOpenML/PandaLM (Apache-2.0) takes them out of responses.
SPECIAL = re.compile(
    r"<unk>|<pad>|<s>|</s>|\[PAD\]|<\|endoftext\|>|\[UNK\]|\[CLS\]|\[MASK\]"
    r"|<\|startofpiece\|>|<\|endofpiece\|>|\[gMASK\]|\[sMASK\]"
)
CHOICE_WORDS: dict[int, tuple[str, ...]] = {1: ("1",), 2: ("2",), 0: ("Tie", "tie", "TIE")}
PARSERS = {PANDALM: parse_pandalm, JSON: parse_json}
NEEDED = ("instruction", "response_1", "response_2")

# How a chat is told to answer: without reasons, with a reason where it is given the reference, with both.
JSON_ANSWER = "Answer with one JSON object and nothing else: "
JSON_FORMS = (
    '{"choice": "1" or "2" or "tie"}',
    '{"choice": "1" or "2" or "tie", "reason": "in one or two sentences"}',
    '{"choice": "1" or "2" or "tie", "reason": "in one or two sentences", '
    '"reference": "a good response to the task, in your words"}',
)
PANDALM_ANSWER = "Write 1, 2 or Tie in the first line"
PANDALM_FORMS = (
    ", and nothing else.",
    ', then a line that begins with "### Reason:" and says why in one or two sentences.',
    ', then a line that begins with "### Reason:" and says why in one or two sentences, then a line that begins with '
    '"### Reference:" and goes on with a good response to the task, in your words.',
)


class BadTemplateError(ValueError):
    """errors: for each text of the template (prompt, system, user, answer) what is wrong with it and what to do."""

    def __init__(self, errors: Mapping[str, list[str]]):
        super().__init__(" ".join(words for each in errors.values() for words in each))
        self.errors = dict(errors)


def template_of(name: str, texts: Texts, about: str = "") -> Template:
    """What asks by these texts. name: with its version. Raises BadTemplateError."""
    if errors := errors_in(texts):
        raise BadTemplateError(errors)
    pieces = read(texts.shown)
    shown = names_in(pieces)
    completion = texts.kind == COMPLETION
    system = fill(read(texts.system), _values(Asked("", "", "", "")))
    return Template(
        name=name,
        about=about,
        texts=texts,
        prompt=partial(_completion, pieces) if completion else None,
        chat=partial(_one_message, pieces) if completion else partial(_two_messages, pieces, system, texts.answer),
        parse=PARSERS[texts.answer],
        choice_words=CHOICE_WORDS if texts.answer == PANDALM else {},
        schema=partial(_schema, "reference" not in shown) if texts.answer == JSON else None,
        lacks=partial(_lacks, name, shown),
        marks=marks_of(pieces),
    )


def tidied(texts: Texts) -> Texts:
    """As they are stored: line ends as one character, nothing blank around, one line end below a completion."""
    tidy = {field: getattr(texts, field).replace("\r\n", "\n").strip() for field in ("prompt", "system", "user")}
    return replace(texts, **tidy | {"prompt": f"{tidy['prompt']}\n" if tidy["prompt"] else ""})


def shows_reference(texts: Texts) -> bool:
    """Whether the judge is given the prompt's reference. Raises BadTextError."""
    return "reference" in names_in(read(texts.shown))


def errors_in(texts: Texts) -> dict[str, list[str]]:
    """For each text what is wrong with it; empty for what can be asked by."""
    if texts.kind not in (COMPLETION, CHAT) or texts.answer not in PARSERS:
        raise ValueError(f"There is no template of kind {texts.kind!r} with answers of the form {texts.answer!r}.")
    if texts.kind == COMPLETION:
        found = {"prompt": _errors_of_shown(texts.prompt) or _errors_of_end(texts.prompt)}
        if texts.answer != PANDALM:
            found["answer"] = ["A text that a model continues is answered in PandaLM's form, by its first word."]
    else:
        found = {"user": _errors_of_shown(texts.user), "system": _errors_of_system(texts.system)}
    return {field: said for field, said in found.items() if said}


def _errors_of_shown(text: str) -> list[str]:
    try:
        pieces = read(text)
    except BadTextError as error:
        return [str(error)]
    shown, always = names_in(pieces), names_in(piece for piece in pieces if not piece.optional)
    missing = [f"{{{name}}}" for name in NEEDED if name not in shown]
    hidden = [f"{{{name}}}" for name in (*NEEDED, "reference") if name in shown - always]
    said = []
    if missing:
        said.append(f"Show the judge what it judges: {_listed(missing)} {_are(missing)} missing.")
    if hidden:
        said.append(f"Move {_listed(hidden)} out of {{if input}} … {{end}}: without an input it would be left out.")
    return said


def _errors_of_end(text: str) -> list[str]:
    """The judge goes on below the last line, so that line has to ask; else its first word could be anything."""
    pieces = read(text)
    last = pieces[-1].text.rstrip() if not pieces[-1].name and not pieces[-1].optional else ""
    _, broken, line = last.rpartition("\n")
    if broken and line.endswith((":", "\uff1a")):
        return []
    return [
        "End with a line of its own that asks for the verdict and ends in a colon, as '### Evaluation:'. The judge "
        "goes on below it with 1, 2 or Tie, and its choice is read from the first word."
    ]


def _errors_of_system(text: str) -> list[str]:
    try:
        pieces = read(text)
    except BadTextError as error:
        return [str(error)]
    found = [f"{{{name}}}" for name in sorted(names_in(pieces))] + [SECTION] * any(piece.optional for piece in pieces)
    return [f"Move {_listed(found)} into the user text: what is judged is no instruction."] if found else []


def _values(asked: Asked) -> dict[str, str]:
    return {
        "instruction": asked.instruction,
        "input": asked.input,
        "response_1": asked.first,
        "response_2": asked.second,
        "reference": asked.reference,
    }


def _completion(pieces: tuple[Piece, ...], asked: Asked) -> str:
    """Ends where the answer begins. Responses lose the names of special tokens and the space around them."""
    return fill(pieces, _values(replace(asked, first=_clean(asked.first), second=_clean(asked.second))))


def _clean(response: str) -> str:
    return SPECIAL.sub("", response.strip()).strip()


def _one_message(pieces: tuple[Piece, ...], asked: Asked, reasons: bool) -> list[Message]:  # noqa: ARG001 - it learnt when
    return [{"role": "user", "content": _completion(pieces, asked)}]


def _two_messages(pieces: tuple[Piece, ...], system: str, answer: str, asked: Asked, reasons: bool) -> list[Message]:
    form = 0 if not reasons else 1 if "reference" in names_in(pieces) else 2
    asks = JSON_ANSWER + JSON_FORMS[form] if answer == JSON else PANDALM_ANSWER + PANDALM_FORMS[form]
    return [
        {"role": "system", "content": f"{system}\n{asks}" if system else asks},
        {"role": "user", "content": fill(pieces, _values(asked))},
    ]


def _schema(writes_reference: bool, reasons: bool) -> dict:
    properties: dict[str, dict] = {"choice": {"type": "string", "enum": ["1", "2", "tie"]}}
    if reasons:
        properties["reason"] = {"type": "string"}
        if writes_reference:
            properties["reference"] = {"type": "string"}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _lacks(name: str, shown: set[str], asked: Asked) -> str:
    """Asked without what its template shows, or without half of the task, a judge would answer something else."""
    if "reference" in shown and not asked.reference.strip():
        return (
            f"The prompt has no reference, which the template {name} shows. Import the pairs with one, or use a judge "
            "whose template shows none."
        )
    if "input" not in shown and asked.input.strip():
        return f"The prompt has an input, which the template {name} does not show. Use a judge whose template shows it."
    return ""


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"
