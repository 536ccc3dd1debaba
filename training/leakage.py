"""Whether what is learnt from holds what it will be tested on: the same prompts, and nearly the same ones. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Words in a row that two texts are compared by, and the share of them that nearly the same texts have in common.
SHINGLE = 4
ALIKE = 0.7
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Leak:
    """A prompt that is learnt from and one that is tested on. alike: share of common shingles (Jaccard), 1 if equal."""

    learnt: int
    tested: int
    alike: float


def shingles(text: str) -> frozenset[int]:
    """Hashes of each few words in a row, without capitals and punctuation; of all words where there are fewer."""
    words = _WORD.findall(text.lower())
    if len(words) <= SHINGLE:
        return frozenset({hash(tuple(words))}) if words else frozenset()
    return frozenset(hash(tuple(words[at : at + SHINGLE])) for at in range(len(words) - SHINGLE + 1))


def leaks(learnt: Iterable[tuple[int, str]], tested: Mapping[int, str]) -> list[Leak]:
    """(number, text) of what is learnt from, one after the other; the tested texts are held in memory.

    For each learnt text the tested one that is most like it, where that is alike enough.
    """
    own = {number: shingles(text) for number, text in tested.items()}
    holders: dict[int, list[int]] = defaultdict(list)
    for number, parts in own.items():
        for part in parts:
            holders[part].append(number)
    found = []
    for number, text in learnt:
        parts = shingles(text)
        common: dict[int, int] = defaultdict(int)
        for part in parts:
            for holder in holders.get(part, ()):
                common[holder] += 1
        best = max(
            ((shared / (len(parts) + len(own[holder]) - shared), -holder) for holder, shared in common.items()),
            default=(0.0, 0),
        )
        if best[0] >= ALIKE:
            found.append(Leak(number, -best[1], round(best[0], 3)))
    return found
