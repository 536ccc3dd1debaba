"""The model with its loss as one module: DeepSpeed sees a forward that gives what is to be made small. Torch."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from judging.backends import packed
from training.script.pieces import Inputs

# Of the logits' own spread: bf16's rounding is a hundredth of it, another head is a half.
SAME = 0.05


class Learner(nn.Module):
    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model
        self.projects_answers_alone = _head_is_all(model)

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """The sum over the answers' tokens of weight times cross entropy, in fp32."""
        told: dict[str, Any] = {"input_ids": inputs.ids, "use_cache": False}
        if inputs.mask is not None:
            told["attention_mask"] = inputs.mask
        if inputs.positions is not None:
            told["position_ids"] = inputs.positions
        if self.projects_answers_alone:
            # Most tokens belong to prompts, and a vocabulary is wide.
            seen = self.model.base_model(**told).last_hidden_state.flatten(0, 1)[inputs.at]
            logits = self.model.get_output_embeddings()(seen)
        else:
            logits = self.model(**told).logits.flatten(0, 1)[inputs.at]
        losses = functional.cross_entropy(logits.float(), inputs.targets, reduction="none")
        return (losses * inputs.weights).sum()


def looking(inputs: Inputs) -> AbstractContextManager[None]:
    """Around forward and backward of a piece: with checkpointing, activations are computed anew in the latter."""
    return packed.laid(inputs.plan) if inputs.plan else nullcontext()


@torch.inference_mode()
def _head_is_all(model: PreTrainedModel) -> bool:
    """Whether the model's logits are its output embedding of its last hidden states and nothing more.

    Some scale or cap them, or project between the two; then the model is asked for all its logits.
    """
    head = model.get_output_embeddings()
    if head is None:
        return False
    size = model.config.get_text_config().vocab_size
    ids = torch.tensor([[(7 * number + 3) % size for number in range(16)]], device=model.device)
    was_training = model.training
    model.eval()
    whole = model(input_ids=ids, use_cache=False).logits.float()
    apart = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state).float()
    model.train(was_training)
    return whole.shape == apart.shape and bool((whole - apart).abs().mean() <= SAME * whole.std())
