"""A question, the words in which a judge is asked it, and what makes them. Pure: no Django, no models."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from judging.prompts.parsing import Parsed

Message = dict[str, str]

COMPLETION, CHAT = "completion", "chat"
PANDALM, JSON = "pandalm", "json"


@dataclass(frozen=True)
class Asked:
    """The texts of one question, in the order that the judge is shown. reference: "" where the prompt has none."""

    instruction: str
    input: str
    first: str
    second: str
    reference: str = ""


@dataclass(frozen=True)
class Texts:
    """A template as people write it, with placeholders (judging.prompts.placeholders).

    kind: `completion`, one text (prompt) that a model continues, or `chat`, two messages (system and user).
    answer: `pandalm` (1, 2 or Tie in the first line) or `json` (an object with "choice").
    """

    kind: str
    answer: str
    prompt: str = ""
    system: str = ""
    user: str = ""

    @property
    def shown(self) -> str:
        """The text that shows what is judged."""
        return self.prompt if self.kind == COMPLETION else self.user

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def of(cls, frozen: Mapping[str, str]) -> Self:
        return cls(**frozen)


@dataclass(frozen=True)
class Template:
    """prompt: the whole text that a completion model continues; None if it is for chat alone. parse: its reader.

    chat: the messages for a chat model, told whether reasons are wanted.
    choice_words: how the answer spells choice 1, 2 and 0 (tie) at its very beginning; empty if it begins otherwise.
    schema: the JSON Schema of the answer, told whether reasons are wanted; None if the answer is no JSON.
    lacks: what a question hasn't or what would be kept from the judge, and what to do about it; "" if it can be asked.
    marks: finds the template's own headings and tags in a response, which could steer the judge by them.
    """

    name: str
    about: str
    texts: Texts
    prompt: Callable[[Asked], str] | None
    chat: Callable[[Asked, bool], list[Message]]
    parse: Callable[[str], Parsed]
    choice_words: dict[int, tuple[str, ...]]
    schema: Callable[[bool], dict] | None
    lacks: Callable[[Asked], str]
    marks: re.Pattern[str] | None
