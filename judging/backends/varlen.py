"""Many rows of unlike lengths in one call of a GPU's attention kernel. Torch.

torch has had the kernel since 2.10. It is taken where the device, the number format and the version allow; whoever
calls has another way for the rest.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:
    varlen_attn = None

# How the kernel is told that a token looks only back: the name changed between versions of torch.
_BACK: dict[str, Any] = (
    {}
    if varlen_attn is None
    else {"is_causal": True}
    if "is_causal" in inspect.signature(varlen_attn).parameters
    else {"window_size": (-1, 0)}
)


@dataclass(frozen=True)
class Rows:
    """Where rows lie behind each other: ends (n + 1,) int32 on the device, beginning with 0, and the longest row."""

    ends: torch.Tensor
    longest: int

    @classmethod
    def of(cls, lengths: list[int], device: torch.device) -> "Rows":
        ends = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
        return cls(ends.to(device, non_blocking=True), max(lengths))


def works_on(query: torch.Tensor) -> bool:
    return varlen_attn is not None and query.is_cuda and query.dtype in {torch.bfloat16, torch.float16}


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    asking: Rows,
    asked: Rows,
    scaling: float | None,
) -> torch.Tensor:
    """(1, heads, tokens, width) each; the last token of a row of queries sees all of its row of keys, the one before
    it one less, and so on. What comes has the queries' shape.
    """
    if query.shape[1] != key.shape[1]:
        more = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(more, dim=1), value.repeat_interleave(more, dim=1)
    root = query.shape[-1] ** 0.5
    if scaling is not None and abs(scaling * root - 1) > 1e-6:
        # The kernel scales by the root of the width, whatever the model wants.
        query = query * (scaling * root)
    flat = [each[0].transpose(0, 1).contiguous() for each in (query, key, value)]
    seen = varlen_attn(*flat, asking.ends, asked.ends, asking.longest, asked.longest, **_BACK)
    return seen.transpose(0, 1)[None]
