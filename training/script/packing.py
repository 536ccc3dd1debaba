"""Samples behind each other in one row, each looking at itself alone. Torch.

The attention is the one that judges read packed prompts with (judging.backends.packed): it asks the plan that is laid.
On GPUs all samples of a row are one kernel call; on CPUs each is one, since a mask over the whole row would cost the
square of its length.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from judging.backends import varlen


class SequencesPlan:
    """lengths: of the samples in their order."""

    def __init__(self, lengths: Sequence[int], device: torch.device):
        self.lengths = list(lengths)
        self.rows = varlen.Rows.of(self.lengths, device)

    def attend(
        self,
        layer: int,  # noqa: ARG002 - every layer looks alike
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        if varlen.works_on(query):
            return varlen.attend(query, key, value, asking=self.rows, asked=self.rows, scaling=scaling)
        grouped = query.shape[1] != key.shape[1]
        seen = [
            functional.scaled_dot_product_attention(
                one, its_keys, its_values, is_causal=one.shape[2] > 1, scale=scaling, enable_gqa=grouped
            )
            for one, its_keys, its_values in zip(
                query.split(self.lengths, dim=2),
                key.split(self.lengths, dim=2),
                value.split(self.lengths, dim=2),
                strict=True,
            )
        ]
        return torch.cat(seen, dim=2)
