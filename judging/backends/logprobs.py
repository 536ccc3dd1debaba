"""From the alternatives that a server names at each token to the probabilities of 1, 2 and tie. Pure."""

import math
from collections.abc import Mapping, Sequence

Tokens = Sequence[tuple[str, Mapping[str, float]]]
TIE, FIRST, SECOND = 0, 1, 2


def probabilities_at(tokens: Tokens, *, span: tuple[int, int]) -> tuple[float, float, float] | None:
    """Of tie, first and second, at the token in which the choice's word begins; None if that cannot be told.

    tokens: each token of the answer with the natural logarithms of its likeliest alternatives, by their texts.
    span: where the word stands in the answer. What is none of the three is left out and the rest made to sum to one;
    a choice that is not among the alternatives has 0.
    """
    at = 0
    for token, alternatives in tokens:
        if at <= span[0] < at + len(token):
            # `"1` begins a word as ` 1` does: what stands before it inside the token must be the same in all.
            return _shares(alternatives, prefix=token[: span[0] - at])
        at += len(token)
    return None


def _shares(alternatives: Mapping[str, float], *, prefix: str) -> tuple[float, float, float] | None:
    sums = [0.0, 0.0, 0.0]
    for text, logarithm in alternatives.items():
        choice = _choice(text.removeprefix(prefix))
        if choice is not None:
            sums[choice] += math.exp(logarithm)
    total = sum(sums)
    return (sums[TIE] / total, sums[FIRST] / total, sums[SECOND] / total) if total > 0 else None


def _choice(text: str) -> int | None:
    """A token may hold the whole word, its beginning ("T"), or what follows it too (`1"`)."""
    word = "".join(letter for letter in text.strip().lower() if letter.isalnum())
    if word in {"1", "2"}:
        return int(word)
    return TIE if word and "tie".startswith(word) else None
