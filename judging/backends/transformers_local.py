"""A local checkpoint, by transformers. Imports torch: loaded on a worker only.

Two modes. `verdict`: one forward pass, the probabilities of 1, 2 and tie at the token where the answer begins, over
what the three words may be spelt as. It is always one of the three and costs no writing; reasons are written behind it
where they are asked for. `exact`: what PandaLM's own code does, four beams with a penalty on repetition, whose text is
then read; without reasons it stops as soon as all beams have said the same verdict.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import torch

from jobs.errors import PermanentError
from judging.backends import prefixes
from judging.backends.base import (
    INVALID,
    OK,
    TOO_LONG,
    Answer,
    Capabilities,
    Explanation,
    Question,
    Settings,
    askable,
    no_answer,
)
from judging.backends.beams import Rules
from judging.backends.checkpoints import find_checkpoint
from judging.backends.loading import (
    check_causal,
    dtype_named,
    ends_of,
    load_model,
    load_tokenizer,
    pad_of,
    the_device,
)
from judging.backends.parameters import TransformersParameters, read_parameters
from judging.backends.prefixes import Ids
from judging.backends.readers import reader_of
from judging.backends.rounding import round_weights
from judging.backends.spellings import NoSpellingError, find_spellings
from judging.prompts.asking import Asked
from judging.prompts.steering import made_harmless

logger = logging.getLogger(__name__)

# As PandaLM's own code decodes.
EXACT_BEAMS, EXACT_PENALTY = 4, 1.2
# A step of writing reads all weights for a token of each beam: the more beams, the better.
WRITTEN_TOGETHER = 2

# Of responses that are cut shorter than this, in characters, nothing can be judged.
LEAST_SHORTENED = 80
CUT = " [cut here]"

T = TypeVar("T")


@dataclass
class Prompt:
    """A question as the model reads it: its texts, made harmless, their tokens, and how they differ from the pair's."""

    question: Question
    asked: Asked
    ids: list[int]
    altered: dict[str, object]

    @property
    def key(self) -> tuple[int, bool]:
        return self.question.pair_id, self.question.swapped


def shortened(asked: Asked, characters: int) -> Asked:
    """Both responses cut to so many characters; one that is shorter stays as it is."""
    cut = [text if len(text) <= characters else text[:characters] + CUT for text in (asked.first, asked.second)]
    return replace(asked, first=cut[0], second=cut[1])


class LocalCheckpoint:
    def __init__(self, settings: Settings):
        self.parameters: TransformersParameters = read_parameters("transformers", settings.parameters)
        self.template = settings.prompt_template
        if self.template.prompt is None:
            raise PermanentError(
                f"The template {settings.template} is for chat servers. A checkpoint takes one such as pandalm@1."
            )
        found = find_checkpoint(model=settings.model, revision=settings.revision)
        self.tokenizer = load_tokenizer(found)
        device = the_device()
        self.model = load_model(found, dtype=dtype_named(self.parameters.dtype, device)).to(device).eval()
        check_causal(self.model, source=found.source)
        if self.parameters.weights == "int8":
            round_weights(self.model)
        try:
            self.spellings = find_spellings(self._encode, prompt=self.template.prompt, words=self.template.choice_words)
        except NoSpellingError as error:
            raise PermanentError(f"{settings.model}: {error}") from error
        self.reader = reader_of(self.model, pad=pad_of(self.tokenizer))
        # Beams begin alike, and are asked about at every step.
        self._first_line = lru_cache(maxsize=100_000)(self._read_first_line)
        self.ends = ends_of(self.model, self.tokenizer)
        self.positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        # One is left for the answer's first token.
        most = self.positions - 1 - len(self.spellings.lead)
        self.limit = min(most, self.parameters.max_prompt_tokens or 2**31)
        self.identity = {
            "checkpoint": found.identity,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "reader": self.reader.name,
        }
        if self.parameters.weights == "int8":
            self.identity["weights"] = "int8"
        # Enough questions that alike ones are found among them, few enough to keep in memory.
        verdict = self.parameters.mode == "verdict"
        self.capabilities = Capabilities(probabilities=verdict, reasons=True, chunk=1024)

    def close(self) -> None:
        del self.model, self.reader
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer | None]:
        """Alike prompts together: both orders of a pair, and all pairs of one prompt, read what they share once."""
        fit, unfit = askable(self.template, questions)
        yield from unfit
        prompts = self._prompts(fit)
        for prompt in prompts:
            if len(prompt.ids) > self.limit:
                yield self._too_long(prompt)
        answer = self._exact if self.parameters.mode == "exact" else self._first
        for batch in self._batches([prompt for prompt in prompts if len(prompt.ids) <= self.limit]):
            yield from self._with_room(batch, lambda part: answer(part, reasons))
            yield None

    def explain(self, decided: Sequence[tuple[Question, int]]) -> Iterator[Explanation | None]:
        choices = {(question.pair_id, question.swapped): choice for question, choice in decided}
        prompts = self._prompts([question for question, _ in decided])
        for batch in self._batches([prompt for prompt in prompts if len(prompt.ids) <= self.limit]):
            yield from self._with_room(
                batch, lambda part: self._explain(part, [choices[prompt.key] for prompt in part])
            )
            yield None

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """With the start token that the tokenizer sets. Names of special tokens inside a text stay text."""
        return self.tokenizer(list(texts), split_special_tokens=True).input_ids

    def _prompts(self, questions: Sequence[Question]) -> list[Prompt]:
        """What the model reads. In exact mode the texts stay as they are, as PandaLM's own code leaves them."""
        prompts, texts = [], []
        for question in questions:
            asked, escaped = question.asked, []
            if self.parameters.mode != "exact":
                asked, escaped = made_harmless(asked, self.template.marks)
            prompts.append(Prompt(question, asked, [], {"escaped": escaped} if escaped else {}))
            texts.append(self.template.prompt(asked))  # type: ignore[misc]
        for prompt, ids in zip(prompts, self._encode(texts) if texts else [], strict=True):
            prompt.ids = ids
            if len(ids) > self.limit and self.parameters.too_long == "shorten":
                self._shorten(prompt)
        return prompts

    def _shorten(self, prompt: Prompt) -> None:
        """Cut both responses to the most characters with which the prompt fits; what is no longer than that stays."""
        low, high = 0, max(len(prompt.asked.first), len(prompt.asked.second))
        fitting = None
        while high - low > 1:
            middle = (low + high) // 2
            (ids,) = self._encode([self.template.prompt(shortened(prompt.asked, middle))])  # type: ignore[misc]
            if len(ids) <= self.limit:
                low, fitting = middle, ids
            else:
                high = middle
        if fitting and low >= LEAST_SHORTENED:
            prompt.ids = fitting
            prompt.altered["shortened_to"] = low

    def _too_long(self, prompt: Prompt) -> Answer:
        cut = "It was not cut" if self.parameters.too_long == "refuse" else "Little would be left of the responses"
        return no_answer(
            prompt.question,
            TOO_LONG,
            f"The prompt has {len(prompt.ids)} tokens, the judge takes {self.limit}. {cut}.",
            prompt_tokens=len(prompt.ids),
        )

    def _batches(self, prompts: Sequence[Prompt]) -> Iterator[list[Prompt]]:
        """To be read, alike ones together; where beams are written behind each, those of like length."""
        exact = self.parameters.mode == "exact"
        batches = prefixes.by_length if exact else self.reader.batches
        tokens = self.parameters.batch_tokens * (WRITTEN_TOGETHER if exact else 1)
        for batch in batches([prompt.ids for prompt in prompts], tokens=tokens):
            yield [prompts[index] for index in batch]

    def _with_room(self, batch: list[Prompt], work: Callable[[list[Prompt]], list[T]]) -> Iterator[T]:
        """Halve a batch for as long as it does not fit into the GPU's memory."""
        try:
            found = work(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
            logger.warning("A batch of %d did not fit into memory: halving it.", len(batch))
            half = len(batch) // 2
            yield from self._with_room(batch[:half], work)
            yield from self._with_room(batch[half:], work)
            return
        yield from found

    # ---- verdict first

    def _first(self, batch: list[Prompt], reasons: bool) -> list[Answer]:
        answers = self._decide(batch)
        if not reasons:
            return answers
        said = self._explain(batch, [answer.choice for answer in answers])  # type: ignore[misc]
        return [
            replace(
                answer,
                reason=explained.reason,
                reference=explained.reference,
                raw=explained.raw,
                answer_tokens=explained.answer_tokens,
                seconds=(answer.seconds or 0.0) + explained.seconds,
            )
            for answer, explained in zip(answers, said, strict=True)
        ]

    def _decide(self, batch: list[Prompt]) -> list[Answer]:
        started = time.monotonic()
        # Where every choice begins with the same tokens, the verdict is told behind them.
        logits = self.reader.last_logits([[*prompt.ids, *self.spellings.lead] for prompt in batch])
        logs = torch.log_softmax(logits.float(), dim=-1)
        sums = torch.stack([logs[:, list(tokens)].logsumexp(dim=-1) for tokens in self.spellings.firsts], dim=1)
        shares = torch.softmax(sums, dim=1).tolist()
        seconds = (time.monotonic() - started) / len(batch)
        return [
            Answer(
                *prompt.key,
                choice=max(range(3), key=row.__getitem__),
                p_first=row[1],
                p_second=row[2],
                p_tie=row[0],
                prompt_tokens=len(prompt.ids),
                answer_tokens=1,
                seconds=seconds,
                altered=prompt.altered,
            )
            for prompt, row in zip(batch, shares, strict=True)
        ]

    def _explain(self, batch: list[Prompt], choices: list[int]) -> list[Explanation]:
        """Let the model go on after the choice that it made. What does not end in its room is kept as far as it got."""
        started = time.monotonic()
        begun = [
            [*prompt.ids, *self.spellings.lead, *self.spellings.word(choice)]
            for prompt, choice in zip(batch, choices, strict=True)
        ]
        rules = Rules(self.ends, beams=1, penalty=EXACT_PENALTY, room=self._room(begun))
        written = self.reader.write(begun, rules)
        seconds = (time.monotonic() - started) / len(batch)
        explained = []
        for prompt, choice, row in zip(batch, choices, written, strict=True):
            raw = self.template.choice_words[choice][0] + self._text(row)
            parsed = self.template.parse(raw)
            explained.append(Explanation(*prompt.key, parsed.reason, parsed.reference, raw, len(row) + 1, seconds))
        return explained

    # ---- exact

    def _exact(self, batch: list[Prompt], reasons: bool) -> list[Answer]:
        started = time.monotonic()
        prompts = [prompt.ids for prompt in batch]
        rules = Rules(self.ends, EXACT_BEAMS, EXACT_PENALTY, self._room(prompts))
        written = self.reader.write(prompts, rules, None if reasons else self._settled)
        seconds = (time.monotonic() - started) / len(batch)
        answers = []
        for prompt, row in zip(batch, written, strict=True):
            raw = self._text(row)
            parsed = self.template.parse(raw)
            answers.append(
                Answer(
                    *prompt.key,
                    parsed.choice,
                    INVALID if parsed.choice is None else OK,
                    reason=parsed.reason,
                    reference=parsed.reference,
                    raw=raw,
                    prompt_tokens=len(prompt.ids),
                    answer_tokens=len(row),
                    seconds=seconds,
                    altered=prompt.altered,
                )
            )
        return answers

    def _settled(self, beams: list[tuple[list[int], bool]]) -> bool:
        """Every beam has written its first line, and all say the same there: the verdict can no longer change."""
        lines = set()
        for said, ended in beams:
            line, written = self._first_line(tuple(said))
            if not (ended or written):
                return False
            lines.add(line)
        return len(lines) == 1

    def _read_first_line(self, said: tuple[int, ...]) -> tuple[str, bool]:
        """The first line of an answer as far as it goes, and whether another follows."""
        line, broken, _ = self._text(said).lstrip().partition("\n")
        return line.strip(), bool(broken)

    def _room(self, prompts: Sequence[Ids]) -> int:
        return max(1, min(self.parameters.max_new_tokens, self.positions - max(map(len, prompts))))

    def _text(self, ids: Ids) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)
