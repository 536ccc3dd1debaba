"""How a model reads prompts and goes on writing: packed where its attention can be replaced, else padded. Torch.

Both say the same of a prompt; a pack has no padding and no shared beginning in it twice.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from transformers import GenerationConfig, PreTrainedModel

from judging.backends import beams, packed, prefixes
from judging.backends.beams import Rules, Settled
from judging.backends.prefixes import Ids


class Reader(Protocol):
    name: str

    def batches(self, prompts: Sequence[Ids], *, tokens: int) -> Iterator[list[int]]:
        """Indices of prompts that are read together, each once: alike ones in one batch, of about so many tokens."""
        ...

    def last_logits(self, prompts: Sequence[Ids]) -> torch.Tensor:
        """The logits behind each prompt of a batch: (len(prompts), vocabulary)."""
        ...

    def write(self, prompts: Sequence[Ids], rules: Rules, settled: Settled | None = None) -> list[Ids]:
        """What the model goes on with behind each prompt of a batch, without the token that ends it."""
        ...


def reader_of(model: PreTrainedModel, *, pad: int) -> Reader:
    return Packed(model) if packed.takes_packs(model) else Padded(model, pad=pad)


class Packed:
    name = "packed"

    def __init__(self, model: PreTrainedModel):
        self.model = model

    def batches(self, prompts: Sequence[Ids], *, tokens: int) -> Iterator[list[int]]:
        order = sorted(range(len(prompts)), key=prompts.__getitem__)
        for pack in prefixes.packs([prompts[index] for index in order], tokens=tokens):
            yield [order[place] for place in pack]

    def last_logits(self, prompts: Sequence[Ids]) -> torch.Tensor:
        return packed.last_logits(self.model, prompts)

    def write(self, prompts: Sequence[Ids], rules: Rules, settled: Settled | None = None) -> list[Ids]:
        order = sorted(range(len(prompts)), key=prompts.__getitem__)
        found = beams.search(self.model, [prompts[index] for index in order], rules, settled)
        answers: list[Ids] = [()] * len(prompts)
        for index, answer in zip(order, found, strict=True):
            answers[index] = answer
        return answers


class Padded:
    name = "padded"

    def __init__(self, model: PreTrainedModel, *, pad: int):
        self.model, self.pad = model, pad
        # Those that weigh distances instead (BLOOM) read them off the mask.
        self.counts_positions = "position_ids" in inspect.signature(model.forward).parameters

    def batches(self, prompts: Sequence[Ids], *, tokens: int) -> Iterator[list[int]]:
        return prefixes.by_length(prompts, tokens=tokens)

    @torch.inference_mode()
    def last_logits(self, prompts: Sequence[Ids]) -> torch.Tensor:
        ids, mask = self._pad(prompts)
        # Padding stands left, so the last position of every row is where its answer begins. Positions count from
        # the first real token, which keeps a padded prompt's numbers those of the prompt alone.
        places = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)} if self.counts_positions else {}
        found = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=1, use_cache=False, **places)
        return found.logits[:, -1]

    @torch.inference_mode()
    def write(self, prompts: Sequence[Ids], rules: Rules, settled: Settled | None = None) -> list[Ids]:
        """By transformers' own generate, which knows no early end: `settled` is not asked.

        A penalty on what was there before would be laid on the padding too, so then each prompt is written to alone.
        """
        del settled
        if rules.penalty == 1:
            return self._write(prompts, rules)
        return [answer for prompt in prompts for answer in self._write([prompt], rules)]

    def _write(self, prompts: Sequence[Ids], rules: Rules) -> list[Ids]:
        ids, mask = self._pad(prompts)
        how = GenerationConfig(
            max_new_tokens=rules.room,
            do_sample=False,
            num_beams=rules.beams,
            early_stopping=rules.beams > 1,
            repetition_penalty=rules.penalty,
            eos_token_id=list(rules.ends),
            pad_token_id=self.pad,
        )
        written = self.model.generate(input_ids=ids, attention_mask=mask, generation_config=how)[:, ids.shape[1] :]
        return [_until(row, rules.ends) for row in written.tolist()]

    def _pad(self, rows: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and mask, both (len(rows), longest), on the model's device, padded at the left."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, longest - len(row) :] = torch.tensor(row)
            mask[number, longest - len(row) :] = 1
        return ids.to(self.model.device), mask.to(self.model.device)


def _until(row: list[int], ends: tuple[int, ...]) -> list[int]:
    return row[: next((place for place, token in enumerate(row) if token in ends), len(row))]
