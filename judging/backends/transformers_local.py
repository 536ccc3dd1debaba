"""A local checkpoint, by transformers. Imports torch: loaded on a worker only.

Two modes. `verdict`: one forward pass, the probabilities of 1, 2 and tie at the token where the answer begins, over
what the three words may be spelt as. It is always one of the three and costs no writing; reasons are written behind it
where they are asked for. `exact`: what PandaLM's own code does, four beams with a penalty on repetition, whose text is
then read; without reasons it stops as soon as all beams have said the same verdict.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch

from jobs.errors import PermanentError
from judging.backends import prefixes
from judging.backends.base import INVALID, OK, TOO_LONG, Answer, Capabilities, Question, Settings, no_answer
from judging.backends.beams import Rules
from judging.backends.checkpoints import find_checkpoint
from judging.backends.loading import dtype_named, ends_of, load_model, load_tokenizer, pad_of, the_device
from judging.backends.parameters import TransformersParameters, read_parameters
from judging.backends.prefixes import Ids
from judging.backends.readers import reader_of
from judging.backends.spellings import NoSpellingError, find_spellings
from judging.prompts import template_named

logger = logging.getLogger(__name__)

# As PandaLM's own code decodes.
EXACT_BEAMS, EXACT_PENALTY = 4, 1.2
# A step of writing reads all weights for a token of each beam: the more beams, the better.
WRITTEN_TOGETHER = 2

Asked = tuple[Question, list[int]]


class LocalCheckpoint:
    def __init__(self, settings: Settings):
        self.parameters: TransformersParameters = read_parameters("transformers", settings.parameters)
        self.template = template_named(settings.template)
        if self.template.prompt is None:
            raise PermanentError(
                f"The template {settings.template} is for chat servers. Use pandalm@1 for a checkpoint."
            )
        found = find_checkpoint(model=settings.model, revision=settings.revision)
        self.tokenizer = load_tokenizer(found)
        device = the_device()
        self.model = load_model(found, dtype=dtype_named(self.parameters.dtype, device)).to(device).eval()
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
        # Enough questions that alike ones are found among them, few enough to keep in memory.
        self.capabilities = Capabilities(probabilities=self.parameters.mode == "verdict", reasons=True, chunk=1024)

    def close(self) -> None:
        del self.model, self.reader
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer | None]:
        """Alike prompts together: both orders of a pair, and all pairs of one prompt, read what they share once."""
        asked: list[Asked] = []
        for question, ids in zip(questions, self._prompts(questions), strict=True):
            if len(ids) > self.limit:
                yield no_answer(
                    question,
                    TOO_LONG,
                    f"The prompt has {len(ids)} tokens, the judge takes {self.limit}. It was not cut.",
                    prompt_tokens=len(ids),
                )
            else:
                asked.append((question, ids))
        for batch in self._batches(asked):
            yield from self._with_room(batch, self._exact if self.parameters.mode == "exact" else self._first, reasons)
            yield None

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """With the start token that the tokenizer sets. Names of special tokens inside a text stay text."""
        return self.tokenizer(list(texts), split_special_tokens=True).input_ids

    def _prompts(self, questions: Sequence[Question]) -> list[list[int]]:
        texts = [self.template.prompt(question.asked) for question in questions]  # type: ignore[misc]
        return self._encode(texts) if texts else []

    def _batches(self, asked: Sequence[Asked]) -> Iterator[list[Asked]]:
        """To be read, alike ones together; where beams are written behind each, those of like length."""
        batches = prefixes.by_length if self.parameters.mode == "exact" else self.reader.batches
        tokens = self.parameters.batch_tokens * (WRITTEN_TOGETHER if self.parameters.mode == "exact" else 1)
        for batch in batches([ids for _, ids in asked], tokens=tokens):
            yield [asked[index] for index in batch]

    def _with_room(
        self, batch: list[Asked], answer: Callable[[list[Asked], bool], list[Answer]], reasons: bool
    ) -> Iterator[Answer]:
        """Halve a batch for as long as it does not fit into the GPU's memory."""
        try:
            answers = answer(batch, reasons)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
            logger.warning("A batch of %d did not fit into memory: halving it.", len(batch))
            half = len(batch) // 2
            yield from self._with_room(batch[:half], answer, reasons)
            yield from self._with_room(batch[half:], answer, reasons)
            return
        yield from answers

    # ---- verdict first

    def _first(self, batch: list[Asked], reasons: bool) -> list[Answer]:
        answers = self._decide(batch)
        return self._explain(batch, answers) if reasons else answers

    def _decide(self, batch: list[Asked]) -> list[Answer]:
        started = time.monotonic()
        # Where every choice begins with the same tokens, the verdict is told behind them.
        logits = self.reader.last_logits([[*ids, *self.spellings.lead] for _, ids in batch])
        logs = torch.log_softmax(logits.float(), dim=-1)
        sums = torch.stack([logs[:, list(tokens)].logsumexp(dim=-1) for tokens in self.spellings.firsts], dim=1)
        shares = torch.softmax(sums, dim=1).tolist()
        seconds = (time.monotonic() - started) / len(batch)
        return [
            Answer(
                question.pair_id,
                question.swapped,
                choice=max(range(3), key=row.__getitem__),
                p_first=row[1],
                p_second=row[2],
                p_tie=row[0],
                prompt_tokens=len(ids),
                answer_tokens=1,
                seconds=seconds,
            )
            for (question, ids), row in zip(batch, shares, strict=True)
        ]

    def _explain(self, batch: list[Asked], answers: list[Answer]) -> list[Answer]:
        """Let the model go on after the choice that it made. What does not end in its room is kept as far as it got."""
        started = time.monotonic()
        begun = [
            [*ids, *self.spellings.lead, *self.spellings.word(answer.choice)]
            for (_, ids), answer in zip(batch, answers, strict=True)
        ]
        written = self.reader.write(begun, Rules(self.ends, beams=1, penalty=EXACT_PENALTY, room=self._room(begun)))
        seconds = (time.monotonic() - started) / len(batch)
        explained = []
        for answer, row in zip(answers, written, strict=True):
            word = self.template.choice_words[answer.choice][0]  # type: ignore[index]
            raw = word + self._text(row)
            parsed = self.template.parse(raw)
            explained.append(
                replace(
                    answer,
                    reason=parsed.reason,
                    reference=parsed.reference,
                    raw=raw,
                    answer_tokens=len(row) + 1,
                    seconds=(answer.seconds or 0.0) + seconds,
                )
            )
        return explained

    # ---- exact

    def _exact(self, batch: list[Asked], reasons: bool) -> list[Answer]:
        started = time.monotonic()
        prompts = [ids for _, ids in batch]
        rules = Rules(self.ends, EXACT_BEAMS, EXACT_PENALTY, self._room(prompts))
        written = self.reader.write(prompts, rules, None if reasons else self._settled)
        seconds = (time.monotonic() - started) / len(batch)
        answers = []
        for (question, ids), row in zip(batch, written, strict=True):
            raw = self._text(row)
            parsed = self.template.parse(raw)
            answers.append(
                Answer(
                    question.pair_id,
                    question.swapped,
                    parsed.choice,
                    INVALID if parsed.choice is None else OK,
                    reason=parsed.reason,
                    reference=parsed.reference,
                    raw=raw,
                    prompt_tokens=len(ids),
                    answer_tokens=len(row),
                    seconds=seconds,
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
