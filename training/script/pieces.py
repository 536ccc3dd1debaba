"""A piece of a step as tensors, packed or padded, and what each of its tokens weighs in the loss. Torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from training.script.batching import Piece, cut
from training.script.packing import SequencesPlan
from training.script.texts import Samples


@dataclass(frozen=True)
class Weights:
    """How much the tokens of an answer weigh. lead: tokens of every answer before the one that decides."""

    choice: float = 1.0
    lead: int = 0

    def of(self, length: int, begin: int) -> np.ndarray:
        """(length,) of one sample: 0 for the prompt."""
        weights = np.zeros(length, dtype=np.float32)
        weights[begin:] = 1.0
        if begin + self.lead < length:
            weights[begin + self.lead] = self.choice
        return weights

    def sums_of(self, samples: Samples) -> np.ndarray:
        """(len(samples),) what all tokens of each weigh together."""
        answers = samples.lengths - samples.begins
        return answers + np.where(answers > self.lead, self.choice - 1.0, 0.0)


@dataclass(frozen=True)
class Inputs:
    """ids: (rows, width). positions or mask: the same shape; which of them is there depends on the form.

    at: (n,) places, counted through all rows, of the tokens behind which one of an answer follows; targets: (n,) that
    one; weights: (n,). plan: who looks at whom in a packed row. tokens: without padding.
    """

    ids: torch.Tensor
    positions: torch.Tensor | None
    mask: torch.Tensor | None
    at: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    plan: SequencesPlan | None
    tokens: int


@dataclass(frozen=True)
class Material:
    """What is learnt from, and in which form it goes through the model."""

    samples: Samples
    weights: Weights
    packed: bool
    pad: int
    device: torch.device

    @cached_property
    def lengths(self) -> list[int]:
        return self.samples.lengths.tolist()

    @cached_property
    def heavy(self) -> np.ndarray:
        """(len(samples),) what the tokens of each sample's answer weigh together."""
        sums = self.weights.sums_of(self.samples)
        return sums if self.samples.weights is None else sums * self.samples.weights

    def cut(self, batch: Sequence[int], *, world: int, tokens: int) -> list[list[Piece]]:
        return cut(batch, self.lengths, world=world, tokens=tokens, packed=self.packed)

    def inputs(self, piece: Sequence[int]) -> Inputs:
        """An empty piece becomes one sample that weighs nothing: every process has to go through the model."""
        samples = self.samples
        chosen = list(piece) or [int(samples.lengths.argmin())]
        rows = [samples.tokens(index) for index in chosen]
        lengths = [len(row) for row in rows]
        heavy = [
            self.weights.of(len(row), int(samples.begins[index])) * np.float32(samples.weight_of(index))
            for row, index in zip(rows, chosen, strict=True)
        ]
        width = sum(lengths) if self.packed else max(lengths)
        firsts = np.cumsum([0, *lengths[:-1]]) if self.packed else np.arange(len(rows)) * width
        answers = [np.flatnonzero(each) for each in heavy]
        at = np.concatenate([first + places - 1 for first, places in zip(firsts, answers, strict=True)])
        targets = np.concatenate([row[places] for row, places in zip(rows, answers, strict=True)])
        weighed = np.concatenate([each[places] for each, places in zip(heavy, answers, strict=True)])

        ids = np.full((1 if self.packed else len(rows), width), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, first in zip(rows, firsts, strict=True):
            ids.flat[first : first + len(row)] = row
            mask.flat[first : first + len(row)] = 1
        places = np.concatenate([np.arange(length) for length in lengths])[None]
        return Inputs(
            ids=self._tensor(ids, torch.long),
            positions=self._tensor(places, torch.long) if self.packed else None,
            mask=None if self.packed else self._tensor(mask, torch.long),
            at=self._tensor(at, torch.long),
            targets=self._tensor(targets, torch.long),
            weights=self._tensor(weighed if piece else np.zeros_like(weighed), torch.float32),
            plan=SequencesPlan(lengths, self.device) if self.packed else None,
            tokens=sum(lengths) if piece else 0,
        )

    def _tensor(self, array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        return torch.from_numpy(array).to(dtype).to(self.device, non_blocking=True)
