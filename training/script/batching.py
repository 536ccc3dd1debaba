"""Which samples make up an optimizer step, and how a step is cut into pieces that fit. Pure, no torch.

The samples of a step depend on the seed alone, never on how they are cut or on how many processes there are, so that
neither changes what is learnt.
"""

import random
from collections.abc import Sequence
from heapq import heapify, heapreplace

Piece = list[int]
"""Indices of samples that go through the model together on one process; empty where it has nothing to do."""


def batches_of(count: int, *, epoch: int, seed: int, size: int) -> list[list[int]]:
    """All samples of an epoch in a shuffled order, `size` at a time; the last step takes what is left."""
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, no secret
    return [order[start : start + size] for start in range(0, count, size)]


def cut(batch: Sequence[int], lengths: Sequence[int], *, world: int, tokens: int, packed: bool) -> list[list[Piece]]:
    """Cut a step's samples into pieces of at most `tokens` tokens (more, where one sample alone is longer).

    What comes is [round][process]: every process goes through the model equally often, since gradients are summed
    over all of them. A packed piece costs the sum of its lengths, a padded one its longest times its rows.
    """
    cost = _packed_cost if packed else _padded_cost
    split = _even if packed else _alike
    micros = max(1, -(-sum(lengths[index] for index in batch) // (tokens * world)))
    while True:
        pieces = split(batch, lengths, micros * world)
        fits = all(len(piece) <= 1 or cost(piece, lengths) <= tokens for piece in pieces)
        if fits or micros * world >= len(batch):
            break
        micros += 1
    return [pieces[start : start + world] for start in range(0, len(pieces), world)]


def padding_share(rounds: Sequence[Sequence[Piece]], lengths: Sequence[int]) -> float:
    """How much of what goes through the model is padding, where pieces are padded."""
    pieces = [piece for each in rounds for piece in each]
    read = sum(_padded_cost(piece, lengths) for piece in pieces)
    return 1 - sum(_packed_cost(piece, lengths) for piece in pieces) / read if read else 0.0


def _even(batch: Sequence[int], lengths: Sequence[int], parts: int) -> list[Piece]:
    """Each sample, the longest first, to the piece with the fewest tokens."""
    pieces: list[Piece] = [[] for _ in range(parts)]
    heap = [(0, number) for number in range(parts)]
    heapify(heap)
    for index in sorted(batch, key=lambda index: (-lengths[index], index)):
        filled, number = heap[0]
        pieces[number].append(index)
        heapreplace(heap, (filled + lengths[index], number))
    return pieces


def _alike(batch: Sequence[int], lengths: Sequence[int], parts: int) -> list[Piece]:
    """Sorted by length and cut where the padded size is about the same, so that little is padded."""
    order = sorted(batch, key=lambda index: (lengths[index], index))
    low, high = max(lengths[index] for index in batch), sum(lengths[index] for index in batch) * 2 + 1
    while low < high:
        middle = (low + high) // 2
        if len(_runs(order, lengths, middle)) <= parts:
            high = middle
        else:
            low = middle + 1
    pieces = _runs(order, lengths, low)
    while len(pieces) < parts:
        # As many pieces as asked for: the most expensive one is halved, until none has two samples.
        costs = [(len(piece) > 1, _padded_cost(piece, lengths)) for piece in pieces]
        widest = costs.index(max(costs))
        piece = pieces[widest]
        if len(piece) < 2:
            pieces.append([])
        else:
            pieces[widest : widest + 1] = [piece[: len(piece) // 2], piece[len(piece) // 2 :]]
    return pieces


def _runs(order: Sequence[int], lengths: Sequence[int], most: int) -> list[Piece]:
    """Neighbours of a sorted order together, as long as their padded size is at most `most`."""
    pieces: list[Piece] = []
    for index in order:
        if pieces and lengths[index] * (len(pieces[-1]) + 1) <= most:
            pieces[-1].append(index)
        else:
            pieces.append([index])
    return pieces


def _packed_cost(piece: Piece, lengths: Sequence[int]) -> int:
    return sum(lengths[index] for index in piece)


def _padded_cost(piece: Piece, lengths: Sequence[int]) -> int:
    return len(piece) * max((lengths[index] for index in piece), default=0)
