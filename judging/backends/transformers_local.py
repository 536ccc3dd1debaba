"""A local checkpoint, by transformers. Imports torch: loaded on a worker only.

The verdict is one forward pass: the probabilities of 1, 2 and tie at the token where the answer begins, over what the
three words may be spelt as. It is always one of the three, and costs no generation. Reasons are written on request,
behind the verdict that was found.
"""

import inspect
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from jobs.errors import PermanentError
from judging.backends.base import TOO_LONG, Answer, Capabilities, Question, Settings, no_answer
from judging.backends.checkpoints import Checkpoint, find_checkpoint
from judging.backends.parameters import TransformersParameters, read_parameters
from judging.backends.spellings import NoSpellingError, find_spellings
from judging.prompts import template_named

logger = logging.getLogger(__name__)

Ids = list[int]


class LocalCheckpoint:
    def __init__(self, settings: Settings):
        self.parameters: TransformersParameters = read_parameters("transformers", settings.parameters)
        self.template = template_named(settings.template)
        if self.template.prompt is None:
            raise PermanentError(
                f"The template {settings.template} is for chat servers. Use pandalm@1 for a checkpoint."
            )
        found = find_checkpoint(model=settings.model, revision=settings.revision)
        self.tokenizer = _load_tokenizer(found)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = _load_model(found, dtype=_dtype(self.parameters.dtype, self.device)).to(self.device).eval()
        self.counts_positions = self.takes_positions()
        try:
            self.spellings = find_spellings(self._encode, prompt=self.template.prompt, words=self.template.choice_words)
        except NoSpellingError as error:
            raise PermanentError(f"{settings.model}: {error}") from error
        self.positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        # One is left for the answer's first token.
        self.limit = min(self.positions - 1, self.parameters.max_prompt_tokens or 2**31)
        self.identity = {
            "checkpoint": found.identity,
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }
        # Enough questions that sorting them by length pays, few enough to keep in memory.
        self.capabilities = Capabilities(probabilities=True, reasons=True, chunk=1024)

    def takes_positions(self) -> bool:
        """Whether the model is told them. Those that weigh distances instead (BLOOM) read them off the mask."""
        return "position_ids" in inspect.signature(self.model.forward).parameters

    def close(self) -> None:
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer | None]:
        """Short prompts first, in batches of like length: both orders of a pair have one length, and so one batch."""
        waiting: list[tuple[Question, Ids]] = []
        for question, ids in zip(questions, self._prompts(questions), strict=True):
            if len(ids) > self.limit:
                yield no_answer(
                    question,
                    TOO_LONG,
                    f"The prompt has {len(ids)} tokens, the judge takes {self.limit}. It was not cut.",
                    prompt_tokens=len(ids),
                )
            else:
                waiting.append((question, ids))
        waiting.sort(key=lambda item: (len(item[1]), item[0].pair_id))
        for batch in batches(waiting, tokens=self.parameters.batch_tokens):
            yield from self._with_room(batch, reasons=reasons)
            yield None

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        """With the start token that the tokenizer sets. Names of special tokens inside a text stay text."""
        return self.tokenizer(list(texts), split_special_tokens=True).input_ids

    def _prompts(self, questions: Sequence[Question]) -> list[Ids]:
        texts = [self.template.prompt(question.asked) for question in questions]  # type: ignore[misc]
        return [ids + list(self.spellings.lead) for ids in self._encode(texts)] if texts else []

    def _with_room(self, batch: list[tuple[Question, Ids]], *, reasons: bool) -> Iterator[Answer]:
        """Halve a batch for as long as it does not fit into the GPU's memory."""
        try:
            answers = self._decide(batch)
            if reasons:
                answers = self._explain(batch, answers)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
            logger.warning("A batch of %d did not fit into memory: halving it.", len(batch))
            half = len(batch) // 2
            yield from self._with_room(batch[:half], reasons=reasons)
            yield from self._with_room(batch[half:], reasons=reasons)
            return
        yield from answers

    @torch.inference_mode()
    def _decide(self, batch: list[tuple[Question, Ids]]) -> list[Answer]:
        started = time.monotonic()
        ids, mask = self._pad([ids for _, ids in batch])
        # Padding stands left, so the last position of every row is where its answer begins. Positions count from
        # the first real token, which keeps a padded prompt's numbers those of the prompt alone.
        places = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)} if self.counts_positions else {}
        logits = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=1, use_cache=False, **places).logits[
            :, -1
        ]
        logs = torch.log_softmax(logits.float(), dim=-1)
        sums = torch.stack([logs[:, list(tokens)].logsumexp(dim=-1) for tokens in self.spellings.firsts], dim=1)
        shares = torch.softmax(sums, dim=1).cpu()
        seconds = (time.monotonic() - started) / len(batch)
        return [
            _answer(question, len(prompt), row, seconds)
            for (question, prompt), row in zip(batch, shares.tolist(), strict=True)
        ]

    @torch.inference_mode()
    def _explain(self, batch: list[tuple[Question, Ids]], answers: list[Answer]) -> list[Answer]:
        """Let the model go on after the choice that it made. What does not end in its room is kept as far as it got."""
        started = time.monotonic()
        begun = [
            prompt + list(self.spellings.word(answer.choice))
            for (_, prompt), answer in zip(batch, answers, strict=True)
        ]
        ids, mask = self._pad(begun)
        room = max(1, min(self.parameters.max_new_tokens, self.positions - ids.shape[1]))
        written = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=room,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=self.pad,
        )[:, ids.shape[1] :]
        seconds = (time.monotonic() - started) / len(batch)
        return [self._explained(answer, row, seconds) for answer, row in zip(answers, written.tolist(), strict=True)]

    def _explained(self, answer: Answer, written: Ids, seconds: float) -> Answer:
        word = self.template.choice_words[answer.choice][0]  # type: ignore[index]
        kept = [token for token in written if token != self.pad]
        raw = word + self.tokenizer.decode(kept, skip_special_tokens=True)
        parsed = self.template.parse(raw)
        return replace(
            answer,
            reason=parsed.reason,
            reference=parsed.reference,
            raw=raw,
            answer_tokens=len(kept) + 1,
            seconds=(answer.seconds or 0.0) + seconds,
        )

    @property
    def pad(self) -> int:
        """Any token will do where the mask says that it is not there."""
        known = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((token for token in known if token is not None), 0)

    def _pad(self, rows: list[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and mask, both (len(rows), longest), on the model's device, padded at the left."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, longest - len(row) :] = torch.tensor(row)
            mask[number, longest - len(row) :] = 1
        return ids.to(self.device), mask.to(self.device)


def batches(items: Sequence[tuple[Question, Ids]], *, tokens: int) -> Iterator[list[tuple[Question, Ids]]]:
    """Items in the order given, as many in a batch as fit: the longest times the number is at most `tokens`.

    One that is longer than that for itself is a batch of its own.
    """
    batch: list[tuple[Question, Ids]] = []
    for item in items:
        longest = max(len(one[1]) for one in [*batch[-1:], item])
        if batch and longest * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _answer(question: Question, prompt_tokens: int, shares: list[float], seconds: float) -> Answer:
    """shares: of tie, first, second."""
    return Answer(
        question.pair_id,
        question.swapped,
        choice=max(range(3), key=shares.__getitem__),
        p_first=shares[1],
        p_second=shares[2],
        p_tie=shares[0],
        prompt_tokens=prompt_tokens,
        answer_tokens=1,
        seconds=seconds,
    )


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return getattr(torch, name)


def _load_tokenizer(found: Checkpoint) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(found.source, **found.options)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"The tokenizer of {found.source} cannot be read: {error}") from error


def _load_model(found: Checkpoint, *, dtype: torch.dtype) -> PreTrainedModel:
    try:
        return AutoModelForCausalLM.from_pretrained(found.source, dtype=dtype, use_safetensors=True, **found.options)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # safetensors and transformers raise many kinds for a broken file
        raise PermanentError(f"The model of {found.source} cannot be loaded: {error}") from error
