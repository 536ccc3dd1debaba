"""Which responses of generators are put beside each other. Pure numpy; a seed decides all that is drawn."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
import numpy.typing as npt

from annotation.bootstrap import Integers

Answered = npt.NDArray[np.bool_]


class Design(StrEnum):
    ALL = "all"
    PROMPTS = "prompts"
    EACH = "each"


WORDS = {
    Design.ALL: "Every two generators on every prompt",
    Design.PROMPTS: "Every two generators on prompts drawn by the seed",
    Design.EACH: "So many pairs of every two generators, drawn by the seed",
}


@dataclass(frozen=True)
class Drawn:
    """prompts, first, second: (n,) indices of the prompt and of the generators of response 1 and 2, by prompt."""

    prompts: Integers
    first: Integers
    second: Integers

    def __len__(self) -> int:
        return len(self.prompts)


def draw_pairs(answered: Answered, *, design: Design, number: int = 0, seed: int = 0) -> Drawn:
    """Pairs of each two generators on prompts that both have answered. answered: (generators, prompts).

    number: prompts in all, or pairs of each two, as the design has it; where there are fewer, all. Each two generators
    stand first equally often, give or take one.
    """
    rng = np.random.default_rng(seed)
    if design is Design.PROMPTS:
        answered = answered & _some_prompts(answered, number, rng)
    found = []
    for a, b in combinations(range(len(answered)), 2):
        both = np.flatnonzero(answered[a] & answered[b])
        if design is Design.EACH and number < len(both):
            both = rng.choice(both, number, replace=False)
        turned = _half(len(both), rng)
        found.append(np.stack([both, np.where(turned, b, a), np.where(turned, a, b)]))
    if not found:
        return Drawn(*np.zeros((3, 0), dtype=np.int64))
    prompts, first, second = np.concatenate(found, axis=1)
    order = np.argsort(prompts, kind="stable")
    return Drawn(prompts[order], first[order], second[order])


def _some_prompts(answered: Answered, number: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Those drawn of the prompts that at least two generators have answered."""
    usable = np.flatnonzero(answered.sum(axis=0) >= 2)
    chosen = np.zeros(answered.shape[1], dtype=bool)
    chosen[rng.choice(usable, min(number, len(usable)), replace=False)] = True
    return chosen


def _half(n: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """True for half of n, in an order that is drawn; of an odd number the one that is over by a coin."""
    turned = np.arange(n) < n // 2 + (n % 2 and rng.integers(2))
    rng.shuffle(turned)
    return turned
