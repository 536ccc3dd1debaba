"""Beam search over many prompts at once, as transformers does it for one (`generate` with early stopping). Torch.

The same scores and the same answers; what is saved is what need not be done: a prompt is read once and not once for
each beam, its keys and values are kept once, only the answers' part changes places when beams do, and a prompt that is
done leaves the batch. It needs a model that takes packs (judging.backends.packed).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from judging.backends.packed import TreePlan, laid
from judging.backends.prefixes import Ids, tree_of

# So many tokens hold the first line of an answer, by which it is told whether it is settled.
HEAD = 12
ENDED = -1e9


@dataclass(frozen=True, slots=True)
class Rules:
    """ends: tokens that end an answer. room: most new tokens.

    penalty: on the logarithms of what was there before, in the prompt too; 1 for none.
    """

    ends: tuple[int, ...]
    beams: int = 4
    penalty: float = 1.2
    room: int = 512


# Told how every live and finished beam of a prompt begins, each with whether it has ended there.
Settled = Callable[[list[tuple[list[int], bool]]], bool]


class _Prompts(TreePlan):
    """Reads prompts and keeps, layer by layer, what they leave for the answers to look at."""

    def __init__(self, prompts: Sequence[Ids], device: torch.device):
        super().__init__(tree_of(prompts), device)
        self.kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        # Where each prompt's tokens lie in the row, and 0 behind its end.
        self.index = torch.zeros(len(prompts), int(self.lengths.max()), dtype=torch.long, device=device)
        for row, leaf in enumerate(self.tree.leaves):
            path = torch.cat([torch.arange(part.start, part.stop) for part in self.spans[leaf][1]])
            self.index[row, : len(path)] = path

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        self.kept[layer] = (key[0][:, self.index].transpose(0, 1), value[0][:, self.index].transpose(0, 1))
        return super().attend(layer, query, key, value, scaling)


class _Answers:
    """One token of each beam at a time: it looks at its prompt, which the beams share, and at its own answer so far."""

    def __init__(self, prompts: _Prompts, beams: int):
        self.beams, self.lengths = beams, prompts.lengths
        self.prompts = prompts.kept
        self.step = 0
        self.own: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._lay_mask()

    def _lay_mask(self) -> None:
        longest = next(iter(self.prompts.values()))[0].shape[2]
        behind = torch.arange(longest, device=self.lengths.device) >= self.lengths[:, None]
        self.behind = behind[:, None, None] if bool(behind.any()) else None

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        rows, heads, _, width = query.shape
        groups, n = key.shape[1], rows // self.beams
        shared = heads // groups
        keys, values = self._write(layer, key, value)
        prompt_keys, prompt_values = self.prompts[layer]
        # (prompts, groups, beams x heads of a group, width): all beams ask their prompt in one product.
        asking = (query * (width**-0.5 if scaling is None else scaling)).view(n, self.beams, groups, shared, width)
        together = asking.transpose(1, 2).reshape(n, groups, self.beams * shared, width)
        of_prompt = together @ prompt_keys.transpose(-1, -2)
        if self.behind is not None:
            of_prompt = of_prompt.masked_fill(self.behind, float("-inf"))
        apart = asking.reshape(rows, groups, shared, width)
        of_answer = (apart @ keys.transpose(-1, -2)).view(n, self.beams, groups, shared, -1)
        of_answer = of_answer.transpose(1, 2).reshape(n, groups, self.beams * shared, -1)
        weights = torch.cat([of_prompt, of_answer], dim=-1).float().softmax(dim=-1).to(query.dtype)
        on_prompt, on_answer = weights.split([of_prompt.shape[-1], of_answer.shape[-1]], dim=-1)
        seen = (on_prompt @ prompt_values).view(n, groups, self.beams, shared, width)
        on_answer = on_answer.view(n, groups, self.beams, shared, -1).transpose(1, 2).reshape(rows, groups, shared, -1)
        own = (on_answer @ values).view(n, self.beams, groups, shared, width)
        return (seen.transpose(1, 2) + own).reshape(rows, heads, 1, width)

    def _write(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the step's keys and values behind those before; room is doubled when it ends."""
        kept = self.own.get(layer)
        if kept is None:
            shape = (key.shape[0], key.shape[1], 32, key.shape[3])
            kept = self.own[layer] = (key.new_zeros(shape), value.new_zeros(shape))
        if self.step == kept[0].shape[2]:
            more = (0, 0, 0, self.step)
            kept = self.own[layer] = (functional.pad(kept[0], more), functional.pad(kept[1], more))
        kept[0][:, :, self.step], kept[1][:, :, self.step] = key[:, :, 0], value[:, :, 0]
        return kept[0][:, :, : self.step + 1], kept[1][:, :, : self.step + 1]

    def follow(self, beams: torch.Tensor, prompts: torch.Tensor | None) -> None:
        """beams: for each row the row that it goes on from. prompts: which go on, if not all."""
        if self.own:
            self.step += 1
        if prompts is not None:
            self.lengths = self.lengths[prompts]
            longest = int(self.lengths.max())
            self.prompts = {
                layer: (keys[prompts, :, :longest], values[prompts, :, :longest])
                for layer, (keys, values) in self.prompts.items()
            }
            self._lay_mask()
            self.own = {layer: (keys[beams], values[beams]) for layer, (keys, values) in self.own.items()}
        elif not bool((beams == torch.arange(len(beams), device=beams.device)).all()):
            for written in self.own.values():
                for rows in written:
                    rows[:, :, : self.step] = rows[beams, :, : self.step]


@dataclass
class _Beams:
    """The live beams of the prompts that are not done. scores (n, beams); said (n, beams, step); seen: token or not."""

    open: list[int]
    scores: torch.Tensor
    said: torch.Tensor
    seen: torch.Tensor


@torch.inference_mode()
def search(model: PreTrainedModel, prompts: Sequence[Ids], rules: Rules, settled: Settled | None = None) -> list[Ids]:
    """The best answer to each of some sorted prompts, without the token that ends it.

    settled: where it says so, a prompt is done early, and what its best beam has so far is its answer.
    """
    read = _Prompts(prompts, model.device)
    with laid(read):
        logits = model(
            input_ids=read.ids, position_ids=read.positions, use_cache=False, logits_to_keep=read.ends
        ).logits[0]
    plan = _Answers(read, rules.beams)
    del read
    n, size = logits.shape
    seen = torch.zeros(n, size, dtype=torch.bool, device=model.device)
    for row, prompt in enumerate(prompts):
        seen[row, torch.tensor(prompt, device=model.device)] = True
    # Before the first step there is one beam; the others would only say the same.
    scores = torch.full((n, rules.beams), ENDED, device=model.device)
    scores[:, 0] = 0.0
    live = _Beams(
        list(range(n)),
        scores,
        torch.zeros(n, rules.beams, 0, dtype=torch.long, device=model.device),
        seen[:, None].expand(n, rules.beams, size).clone(),
    )
    done: list[list[tuple[float, list[int]]]] = [[] for _ in range(n)]
    answers: list[Ids] = [[] for _ in range(n)]
    logits = logits[:, None].expand(n, rules.beams, size)
    for step in range(1, rules.room + 1):
        beams, going = _step(live, logits, rules, step, done)
        over = [_is_over(live, row, done[number], rules, step, settled) for row, number in enumerate(live.open)]
        for row, number in enumerate(live.open):
            if over[row]:
                best = max(done[number], default=(0.0, live.said[row, 0].tolist()), key=lambda one: one[0])
                answers[number] = best[1]
        if all(over):
            return answers
        rows = torch.tensor([row for row, ended in enumerate(over) if not ended], device=model.device)
        if len(rows) < len(over):
            live = _Beams(
                [live.open[row] for row in rows.tolist()], live.scores[rows], live.said[rows], live.seen[rows]
            )
            beams, going = beams[rows], going[rows]
        plan.follow(beams.reshape(-1), rows if len(rows) < len(over) else None)
        positions = (plan.lengths + step - 1).repeat_interleave(rules.beams)[:, None]
        with laid(plan):
            logits = model(
                input_ids=going.reshape(-1, 1), position_ids=positions, use_cache=False, logits_to_keep=1
            ).logits.view(len(live.open), rules.beams, size)
    return answers


def _step(
    live: _Beams, logits: torch.Tensor, rules: Rules, step: int, done: list[list[tuple[float, list[int]]]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Extend the beams by a token each and put what ended among the done.

    Returns for each beam the row of all beams that it goes on from, and its token, both (n, beams).
    """
    n, size = len(live.open), logits.shape[-1]
    chances = torch.log_softmax(logits.float(), dim=-1)
    chances = torch.where(live.seen, chances * rules.penalty, chances) + live.scores[..., None]
    # So many more than beams that, if all the best ended, there are as many to go on with.
    scores, index = chances.view(n, -1).topk(max(2, 1 + len(rules.ends)) * rules.beams, dim=-1)
    parents, tokens = index // size, index % size
    stops = torch.isin(tokens, torch.tensor(rules.ends, device=tokens.device))
    ends = stops if step < rules.room else torch.ones_like(stops)
    if bool(ends[:, : rules.beams].any()):
        for row, column in ends[:, : rules.beams].nonzero().tolist():
            said, token = live.said[row, parents[row, column]].tolist(), int(tokens[row, column])
            ended = (float(scores[row, column]) / step, said if token in rules.ends else [*said, token])
            done[live.open[row]].append(ended)
        for number in live.open:
            done[number] = sorted(done[number], key=lambda one: -one[0])[: rules.beams]
    scores, chosen = (scores + ends * ENDED).topk(rules.beams, dim=-1)
    parents, tokens = parents.gather(1, chosen), tokens.gather(1, chosen)
    rows = torch.arange(n, device=logits.device)[:, None]
    live.scores = scores
    live.said = torch.cat([live.said[rows, parents], tokens[..., None]], dim=-1)
    live.seen = live.seen[rows, parents].scatter_(2, tokens[..., None], True)
    return parents + rows * rules.beams, tokens


def _is_over(
    live: _Beams, row: int, own: list[tuple[float, list[int]]], rules: Rules, step: int, settled: Settled | None
) -> bool:
    if len(own) >= rules.beams or step >= rules.room:
        return True
    if settled is None:
        return False
    said = [(beam, False) for beam in live.said[row, :, :HEAD].tolist()]
    return settled(said + [(ended[:HEAD], len(ended) <= HEAD) for _, ended in own])
