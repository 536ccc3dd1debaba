"""Prompts as a prefix tree: what many of them begin with is there once. Pure: a prompt is a list of token ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

Ids = Sequence[int]

# A run of fewer tokens is not worth a branch of its own: each costs a call in every layer.
LEAST_SHARED = 8


@dataclass(frozen=True, slots=True)
class Node:
    """Tokens that all prompts below it share. start: their place in the prompt. parent: an earlier node, or None."""

    start: int
    ids: Ids
    parent: int | None


@dataclass(frozen=True, slots=True)
class Tree:
    """nodes: parents before children. leaves: for each prompt the node that it ends with, which is its alone."""

    nodes: list[Node]
    leaves: list[int]

    @property
    def size(self) -> int:
        return sum(len(node.ids) for node in self.nodes)


def common_length(one: Ids, other: Ids) -> int:
    """How many tokens two prompts begin alike with, leaving each at least one of its own."""
    most = min(len(one), len(other)) - 1
    if one[:most] == other[:most]:
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def packs(prompts: Sequence[Ids], *, tokens: int) -> Iterator[list[int]]:
    """Indices of the prompts, alike ones together, in packs whose trees have at most about so many tokens.

    A prompt that is longer than that for itself is a pack of its own. prompts: sorted.
    """
    pack: list[int] = []
    room = tokens
    for index, prompt in enumerate(prompts):
        new = len(prompt) - (common_length(prompts[index - 1], prompt) if pack else 0)
        if pack and new > room:
            yield pack
            pack, room, new = [], tokens, len(prompt)
        pack.append(index)
        room -= new
    if pack:
        yield pack


def by_length(prompts: Sequence[Ids], *, tokens: int) -> Iterator[list[int]]:
    """Indices of the prompts in batches of like length: the longest times their number is at most `tokens`.

    A prompt that is longer than that for itself is a batch of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(prompts)), key=lambda index: len(prompts[index])):
        if batch and len(prompts[index]) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def tree_of(prompts: Sequence[Ids]) -> Tree:
    """The prefix tree of sorted prompts, none of which is empty."""
    shared = [0, *(common_length(one, other) for one, other in pairwise(prompts))]
    nodes: list[Node] = []
    leaves = [0] * len(prompts)
    waiting: list[tuple[int, int, int, int | None]] = [(0, len(prompts), 0, None)] if prompts else []
    while waiting:
        low, high, start, parent = waiting.pop()
        if high - low == 1:
            leaves[low] = len(nodes)
            nodes.append(Node(start, prompts[low][start:], parent))
            continue
        edges = [low, *(at for at in range(low + 1, high) if shared[at] < start + LEAST_SHARED), high]
        if len(edges) > 2:
            waiting += [(a, b, start, parent) for a, b in reversed(list(pairwise(edges)))]
            continue
        end = min(shared[low + 1 : high])
        waiting.append((low, high, end, len(nodes)))
        nodes.append(Node(start, prompts[low][start:end], parent))
    return Tree(nodes, leaves)
