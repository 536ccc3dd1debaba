"""What a backend is asked, what it answers, and what it can do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol, runtime_checkable

from judging.backends.completions import Said
from judging.prompts.asking import Asked, Template, Texts
from judging.prompts.built_in import template_named
from judging.prompts.written import template_of

OK, INVALID, REFUSED, TOO_LONG, FAILED = "ok", "invalid", "refused", "too_long", "failed"
TIE, FIRST, SECOND = 0, 1, 2


@dataclass(frozen=True)
class Settings:
    """A judge as it was frozen for a run. facts: what the run found out for it (the majority class).

    memory: where a paid judge looks for what it was told before. budget: US dollars that it may still spend.
    texts: what its prompt template said then; without them the template is a built-in one.
    """

    backend: str
    model: str = ""
    revision: str = ""
    template: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    memory: "Memory | None" = None
    budget: Decimal | None = None
    texts: Mapping[str, str] | None = None

    @property
    def prompt_template(self) -> Template:
        return template_of(self.template, Texts.of(self.texts)) if self.texts else template_named(self.template)


@dataclass(frozen=True)
class Question:
    """One pair in one order. first and second are the responses as shown; swapped tells that first is response 2."""

    pair_id: int
    swapped: bool
    instruction: str
    input: str
    first: str
    second: str
    reference: str = ""

    @property
    def asked(self) -> Asked:
        return Asked(self.instruction, self.input, self.first, self.second, self.reference)


@dataclass(frozen=True)
class Answer:
    """What came out, in the order shown: choice 1 is the first one shown, 0 a tie, None if there is none.

    status is ok if and only if there is a choice. raw: what the judge really said, or why there is no answer.
    Probabilities are all given or none. seconds: what a batch took divided by its questions, or, where many are asked
    at once over a network, how long this one took. cost is in US dollars. altered: how the texts that the judge saw
    differ from the pair's own: `shortened_to` characters a response, `escaped` what could have steered it.
    """

    pair_id: int
    swapped: bool
    choice: int | None
    status: str = OK
    p_first: float | None = None
    p_second: float | None = None
    p_tie: float | None = None
    reason: str = ""
    reference: str = ""
    raw: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    seconds: float | None = None
    cost: Decimal | None = None
    altered: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.status == OK) != (self.choice is not None):
            raise ValueError(f"An answer is ok if and only if it has a choice: {self.status}, {self.choice}")


def no_answer(question: Question, status: str, raw: str, **facts: object) -> Answer:
    """An answer without a choice, and why."""
    return Answer(question.pair_id, question.swapped, None, status, raw=raw, **facts)  # type: ignore[arg-type]


def askable(template: Template, questions: Sequence[Question]) -> tuple[list[Question], list[Answer]]:
    """The questions that can be asked by a template, and what is to be said of the others."""
    lacks = [template.lacks(question.asked) for question in questions]
    fit = [question for question, lack in zip(questions, lacks, strict=True) if not lack]
    unfit = [no_answer(question, FAILED, lack) for question, lack in zip(questions, lacks, strict=True) if lack]
    return fit, unfit


@dataclass(frozen=True)
class Explanation:
    """What a judge writes behind a choice that it made before. raw: the choice's word and all that came."""

    pair_id: int
    swapped: bool
    reason: str
    reference: str
    raw: str
    answer_tokens: int
    seconds: float


@dataclass(frozen=True)
class Capabilities:
    """reasons: it can give them with its verdicts. chunk: how many questions it likes to have at once."""

    probabilities: bool
    reasons: bool
    chunk: int


@dataclass(frozen=True)
class SentBatch:
    """Questions that a server has as a file. batch: its name for the work on them, "" until that was asked for."""

    file: str
    batch: str
    questions: int


class Memory(Protocol):
    """What servers answered, to whichever run, and what this run has sent; a key is a hash of the whole request."""

    def recall(self, keys: Sequence[str]) -> dict[str, Said]: ...

    def keep(self, answers: Sequence[tuple[str | None, Said, Decimal | None]]) -> None:
        """Each with its key, none where it is not to be recalled, and its cost in US dollars, where that is known."""
        ...

    def open_batches(self) -> list[SentBatch]: ...

    def keep_batch(self, sent: SentBatch, *, outcome: str = "") -> None: ...


class Backend(Protocol):
    """capabilities: what this judge can do. identity: what it found of the model's files, kept with the run."""

    capabilities: Capabilities
    identity: dict[str, object]

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer | None]:
        """One answer a question, in any order, as they come.

        None means that nothing came for a moment: a chance for the caller to save and to look for a cancel.
        Raises PermanentError or BackendUnavailableError where going on makes no sense.
        """
        ...

    def explain(self, decided: Sequence[tuple[Question, int]]) -> Iterator[Explanation | None]:
        """Questions with the choice that was made of each, in the order shown. Only where judging.backends.explains."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Sends(Protocol):
    """A backend that leaves its questions with a server for hours.

    doing: how far the server is, in words. withdraw: a person has stopped the run, so the server shall stop, too.
    """

    doing: str

    def withdraw(self) -> None: ...


class BackendUnavailableError(Exception):
    """The judge cannot be reached or gives nothing but errors; a later attempt may do better."""
