"""Many prompts through a model in one row, without padding, and each run of tokens that they share once. Torch.

The model is transformers' own; only its attention is ours, registered under a name. Where a plan is laid, it says who
looks at whom; where none is, it is transformers' attention over SDPA, masks and all. Whether a model's attention can be
replaced in this way is asked of the model itself (`takes_packs`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from judging.backends import varlen
from judging.backends.prefixes import Ids, Tree, tree_of

NAME = "tiebreak"
# By how much of their own spread the logits of a pack may differ from those of a prompt alone, on the average: bf16
# moves them by a hundredth, to look at the wrong tokens by a half.
SAME = 0.05


class Plan(Protocol):
    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Tensors (batch, heads, tokens, width) as the model made them; what each token takes from those it sees."""
        ...


# Of the whole process: gradients that compute activations anew do so in a thread of their own.
_plan: Plan | None = None


@contextmanager
def laid(plan: Plan) -> Iterator[None]:
    """One model of a process at a time."""
    global _plan
    before, _plan = _plan, plan
    try:
        yield
    finally:
        _plan = before


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    if _plan is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **more)
    if more.get("dropout"):
        raise NotImplementedError("Packs of prompts are attended to whole: nothing of the attention can be dropped.")
    seen = _plan.attend(int(module.layer_idx), query, key, value, more.get("scaling"))  # type: ignore[arg-type]
    return seen.transpose(1, 2).contiguous(), None


def _mask(*args: Any, **more: Any) -> torch.Tensor | None:
    return None if _plan is not None else sdpa_mask(*args, **more)


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, _mask)


class TreePlan:
    """Each node's tokens look at themselves, causally, and at all tokens of the nodes above."""

    def __init__(self, tree: Tree, device: torch.device):
        self.tree = tree
        ends = [0]
        for node in tree.nodes:
            ends.append(ends[-1] + len(node.ids))
        self.ids = torch.tensor([[token for node in tree.nodes for token in node.ids]], device=device)
        self.positions = torch.cat([torch.arange(node.start, node.start + len(node.ids)) for node in tree.nodes]).to(
            device
        )[None]
        self.ends = torch.tensor([ends[leaf + 1] - 1 for leaf in tree.leaves], device=device)
        own = [slice(start, end) for start, end in pairwise(ends)]
        self.spans: list[tuple[slice, list[slice]]] = []
        above: list[list[slice]] = []
        for number, node in enumerate(tree.nodes):
            path = [*([] if node.parent is None else above[node.parent])]
            # Nodes that lie one behind the other are one piece.
            if path and path[-1].stop == own[number].start:
                path[-1] = slice(path[-1].start, own[number].stop)
            else:
                path.append(own[number])
            above.append(path)
            self.spans.append((own[number], path))
        self.masks: dict[tuple[int, int], torch.Tensor] = {}
        # For a kernel that does all at once: the keys that each node sees, one node's behind the other's.
        self.seen = torch.tensor([at for _, path in self.spans for part in path for at in range(part.start, part.stop)])
        self.seen = self.seen.to(device)
        self.asking = varlen.Rows.of([len(node.ids) for node in tree.nodes], device)
        self.asked = varlen.Rows.of([node.start + len(node.ids) for node in tree.nodes], device)

    def attend(
        self,
        layer: int,  # noqa: ARG002 - every layer looks alike
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        if varlen.works_on(query):
            keys, values = key.index_select(2, self.seen), value.index_select(2, self.seen)
            return varlen.attend(query, keys, values, asking=self.asking, asked=self.asked, scaling=scaling)
        out = torch.empty_like(query)
        grouped = query.shape[1] != key.shape[1]
        for own, path in self.spans:
            keys = key[:, :, path[0]] if len(path) == 1 else torch.cat([key[:, :, part] for part in path], dim=2)
            values = value[:, :, path[0]] if len(path) == 1 else torch.cat([value[:, :, part] for part in path], dim=2)
            asking = query[:, :, own]
            causal = self._causal(asking.shape[2], keys.shape[2], query.device)
            out[:, :, own] = functional.scaled_dot_product_attention(
                asking,
                keys,
                values,
                attn_mask=causal,
                is_causal=causal is None and asking.shape[2] > 1,
                scale=scaling,
                enable_gqa=grouped,
            )
        return out

    def _causal(self, length: int, seen: int, device: torch.device) -> torch.Tensor | None:
        """Who sees whom where the first tokens of `seen` are all seen; None where no mask is needed."""
        if not 1 < length < seen:
            return None
        if (length, seen) not in self.masks:
            mask = torch.ones(length, seen, dtype=torch.bool, device=device).tril(seen - length)
            self.masks[length, seen] = mask
        return self.masks[length, seen]


@torch.inference_mode()
def last_logits(model: PreTrainedModel, prompts: Sequence[Ids]) -> torch.Tensor:
    """The logits behind each of some sorted prompts, (len(prompts), vocabulary)."""
    plan = TreePlan(tree_of(prompts), model.device)
    with laid(plan):
        # Without a cache: what a prompt's tokens saw is looked at once.
        return model(input_ids=plan.ids, position_ids=plan.positions, use_cache=False, logits_to_keep=plan.ends).logits[
            0
        ]


def takes_packs(model: PreTrainedModel) -> bool:
    """Make the model's attention ours if it then says of packed prompts what it says of each alone.

    It does not where positions are weighed inside the attention (BLOOM), where it looks back over a window only, or
    where it does more than to look (soft caps, sinks). Then it stays as it was.
    """
    was_training = model.training
    model.eval()  # What drops out at random says two things of one prompt.
    try:
        return _takes_packs(model)
    finally:
        model.train(was_training)


@torch.inference_mode()
def _takes_packs(model: PreTrainedModel) -> bool:
    before = model.config._attn_implementation
    if not _may_take(model):
        return False
    size = model.config.get_text_config().vocab_size
    tokens = [(7 * number + 3) % size for number in range(40)]
    # Two that share a beginning with two others, and one that begins elsewhere.
    prompts = sorted([tokens[:25] + tokens[5:20], tokens[:25] + tokens[9:29], tokens[10:31], tokens[:25] + tokens[2:9]])
    alone = torch.cat([model(input_ids=_row(model, prompt), use_cache=False).logits[0, -1:] for prompt in prompts])
    try:
        model.set_attn_implementation(NAME)
        together = last_logits(model, prompts)
    except (TypeError, ValueError, RuntimeError, AttributeError):
        together = alone + float("nan")
    if (alone - together).float().abs().mean() <= SAME * alone.float().std():
        return True
    model.set_attn_implementation(before)
    return False


def _may_take(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    capped = getattr(config, "attn_logit_softcapping", None)
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return model._can_set_attn_implementation() and kinds == {"full_attention"} and not capped and not window


def _row(model: PreTrainedModel, prompt: Ids) -> torch.Tensor:
    return torch.tensor([list(prompt)], device=model.device)
