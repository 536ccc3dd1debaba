"""Weights of a byte each, for checkpoints that do not fit otherwise. Imports torch.

A row of a layer's weights is kept as whole numbers from -127 to 127 and one scale, the largest weight over 127. It is
computed with as before: nothing is rounded but the weights, and nothing is faster.
"""

import torch
from torch import nn
from transformers import PreTrainedModel

from jobs.errors import PermanentError

MOST = 127


class RoundedLinear(nn.Module):
    """What a linear layer gives, from rounded weights. weight: (out, in) int8; scale: (out,) as the layer's weights."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        weight = layer.weight.detach()
        largest = weight.abs().amax(dim=1, keepdim=True).float()
        scale = torch.where(largest > 0, largest / MOST, 1.0)
        self.register_buffer("weight", (weight.float() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale[:, 0].to(weight.dtype))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        said = nn.functional.linear(inputs, self.weight.to(inputs.dtype)) * self.scale
        return said if self.bias is None else said + self.bias


def round_weights(model: PreTrainedModel) -> None:
    """Round every linear layer but the last: the verdict is read from what that gives.

    Raises PermanentError for a model that has none, as GPT-2, whose layers are of another kind.
    """
    head = model.get_output_embeddings()
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) and child is not head
    ]
    if not found:
        raise PermanentError(f"Nothing of a {type(model).__name__} can be rounded: make a judge without 'weights'.")
    for parent, name, child in found:
        setattr(parent, name, RoundedLinear(child))
