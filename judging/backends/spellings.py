"""How a tokenizer writes the words of a choice after a prompt. Pure: a tokenizer is a function from texts to ids."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from judging.prompts.asking import Asked

Encode = Callable[[Sequence[str]], list[list[int]]]
TIE, FIRST, SECOND = 0, 1, 2
CHOICES = (TIE, FIRST, SECOND)
# Prompts that differ in all that may stand before the answer.
PROBES = (Asked("Say hello.", "", "Hello.", "12"), Asked("Count.", "to 2", "one, two", "Tie"))


class NoSpellingError(ValueError):
    """The tokenizer cannot tell the three choices apart by one token after the prompt."""


@dataclass(frozen=True)
class Spellings:
    """lead: tokens that stand between the prompt and every choice (none, with most tokenizers).

    firsts: for tie, 1 and 2 the tokens that only this choice begins with. words: the usual spelling of each, whole.
    """

    lead: tuple[int, ...]
    firsts: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    words: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

    def word(self, choice: int | None) -> tuple[int, ...]:
        if choice is None:
            raise ValueError("There is no word for no choice.")
        return self.words[choice]


def find_spellings(encode: Encode, *, prompt: Callable[[Asked], str], words: Mapping[int, Sequence[str]]) -> Spellings:
    """What the choice's words become when they are tokenised together with the prompt, as they were in training.

    words: for each choice how it may be spelt, the usual spelling first; each is tried with a space before it as well.
    A spelling whose first token another choice shares is left out; if it is the usual one, that is an error.
    Raises NoSpellingError.
    """
    found = {_of_one_prompt(encode, prompt(probe), words) for probe in PROBES}
    if len(found) != 1:
        raise NoSpellingError("the tokenizer writes the choices differently after different prompts.")
    return found.pop()


def _of_one_prompt(encode: Encode, text: str, words: Mapping[int, Sequence[str]]) -> Spellings:
    (base,) = encode([text])
    usual = {choice: _after(base, encode([text + words[choice][0] + "\n"])[0]) for choice in CHOICES}
    lead = _common(list(usual.values()))
    cut = {choice: tokens[len(lead) :] for choice, tokens in usual.items()}
    if any(not tokens for tokens in cut.values()) or len({tokens[0] for tokens in cut.values()}) != len(CHOICES):
        raise NoSpellingError("the tokenizer begins two of the choices with the same token.")
    # A bare space may begin anything, so it is nobody's.
    bare = {tokens[len(lead)] for tokens in [_after(base, encode([f"{text} "])[0])] if len(tokens) > len(lead)}
    owners: dict[int, set[int]] = {}
    for choice in CHOICES:
        for spelling in words[choice]:
            for variant in (spelling, f" {spelling}"):
                tokens = _after(base, encode([f"{text}{variant}\n"])[0])
                if tokens[: len(lead)] == lead and len(tokens) > len(lead) and tokens[len(lead)] not in bare:
                    owners.setdefault(tokens[len(lead)], set()).add(choice)
    firsts = [tuple(sorted(token for token, who in owners.items() if who == {choice})) for choice in CHOICES]
    if any(cut[choice][0] not in firsts[choice] for choice in CHOICES):
        raise NoSpellingError("the tokenizer begins two of the choices with the same token.")
    ends = _common([tokens[::-1] for tokens in cut.values()])
    whole = [tokens[: len(tokens) - len(ends)] or tokens for tokens in (cut[choice] for choice in CHOICES)]
    return Spellings(lead, (firsts[0], firsts[1], firsts[2]), (whole[0], whole[1], whole[2]))


def _after(base: list[int], ids: list[int]) -> tuple[int, ...]:
    """What stands behind the prompt. A tokenizer that joins the prompt's end with the answer is not what we can use."""
    if ids[: len(base)] != base:
        raise NoSpellingError("the tokenizer joins the end of the prompt with the beginning of the answer.")
    return tuple(ids[len(base) :])


def _common(rows: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The longest beginning that all rows share."""
    shared = []
    for column in zip(*rows, strict=False):
        if len(set(column)) != 1:
            break
        shared.append(column[0])
    return tuple(shared)
