"""From the rows of a snapshot to tokens: what a model reads, and from where on it learns to write.

A tokenizer is a function from texts to ids, so this needs no torch.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from judging.prompts.built_in import Asked, pandalm_prompt, pandalm_target
from judging.prompts.steering import made_harmless
from training.alpaca import alpaca_prompt

Encode = Callable[[Sequence[str]], list[list[int]]]
Row = Mapping[str, object]
CHUNK = 1000


class BadRowError(Exception):
    """A line of the file cannot be learnt from; the text names it and says why."""


@dataclass(frozen=True)
class Samples:
    """ids: all tokens, one sample behind the other. ends: (n,) where each stops. begins: (n,) tokens of each prompt.

    cut: samples that lost their end. dropped: those whose prompt alone leaves no room for an answer. weights: (n,) what
    each sample weighs beside the others, above 0; None where all weigh alike.
    """

    ids: np.ndarray
    ends: np.ndarray
    begins: np.ndarray
    cut: int
    dropped: int
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.ends, prepend=0)

    def tokens(self, index: int) -> np.ndarray:
        return self.ids[self.ends[index] - self.lengths_at(index) : self.ends[index]]

    def lengths_at(self, index: int) -> int:
        return int(self.ends[index] - (self.ends[index - 1] if index else 0))

    def weight_of(self, index: int) -> float:
        return 1.0 if self.weights is None else float(self.weights[index])

    def save(self, path: Path) -> None:
        told = {"ids": self.ids, "ends": self.ends, "begins": self.begins, "told": np.array([self.cut, self.dropped])}
        np.savez(path, **told, **({} if self.weights is None else {"weights": self.weights}))

    @classmethod
    def load(cls, path: Path) -> "Samples":
        with np.load(path) as data:
            cut, dropped = map(int, data["told"])
            weights = data.get("weights")
            return cls(data["ids"], data["ends"], data["begins"], cut, dropped, weights)


def read_rows(path: Path) -> Iterator[Row]:
    """Raises BadRowError for what is no JSON object."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadRowError(f"{path.name}, line {number}: this is no JSON ({error}).") from error
            if not isinstance(row, dict):
                raise BadRowError(f"{path.name}, line {number}: this is no JSON object.")
            yield row


def judge_prompt(row: Row) -> str:
    """As a judge is asked when it judges, so that it learns what it will meet."""
    asked = Asked(str(row["instruction"]), str(row["input"]), str(row["response_1"]), str(row["response_2"]))
    return pandalm_prompt(made_harmless(asked)[0])


def judge_texts(row: Row) -> tuple[str, str]:
    choice = row["choice"]
    if choice not in (0, 1, 2):
        raise ValueError(f"choice must be 0 (tie), 1 or 2, not {choice!r}")
    return judge_prompt(row), pandalm_target(
        choice=int(choice),  # type: ignore[call-overload]
        reason=str(row.get("reason", "")),
        reference=str(row.get("reference", "")),
    )


def candidate_texts(row: Row) -> tuple[str, str]:
    return alpaca_prompt(instruction=str(row["instruction"]), input=str(row["input"])), str(row["output"])


TEXTS = {"judge": judge_texts, "candidate": candidate_texts}


def tokenise(
    rows: Iterable[Row],
    *,
    purpose: str,
    encode: Encode,
    end: Sequence[int],
    max_length: int,
    tell: Callable[[], None] | None = None,
) -> Samples:
    """encode: with the tokens that begin a text. end: the tokens that end an answer. Raises BadRowError.

    Prompt and answer are tokenised as one text, as they follow each other when the model writes; where a tokenizer
    joins the two, each is tokenised alone.
    """
    texts = TEXTS[purpose]
    ids: list[np.ndarray] = []
    ends: list[int] = []
    begins: list[int] = []
    weights: list[float] = []
    total = cut = dropped = done = 0
    numbered = enumerate(rows, 1)
    while chunk := list(islice(numbered, CHUNK)):
        both = [_texts_of(texts, row, number) for number, row in chunk]
        prompts = encode([prompt for prompt, _ in both])
        wholes = encode([prompt + answer for prompt, answer in both])
        for (number, row), (_, answer), prompt, whole in zip(chunk, both, prompts, wholes, strict=True):
            joined = whole[: len(prompt)] != prompt
            sample = [*prompt, *_alone(encode, answer)] if joined else whole
            sample = [*sample, *end]
            if len(prompt) >= max_length:
                dropped += 1
                continue
            cut += len(sample) > max_length
            sample = sample[:max_length]
            total += len(sample)
            ids.append(np.array(sample, dtype=np.int32))
            ends.append(total)
            begins.append(len(prompt))
            weights.append(_weight_of(row, number))
        done += len(chunk)
        if tell:
            tell()
    if not ends:
        raise BadRowError(
            f"None of the {done} samples fits into {max_length} tokens with its answer: choose a larger max_length."
            if dropped
            else "The snapshot holds no samples."
        )
    weighs = None if len(set(weights)) == 1 else np.array(weights)
    return Samples(np.concatenate(ids), np.array(ends), np.array(begins), cut, dropped, weighs)


def _texts_of(texts: Callable[[Row], tuple[str, str]], row: Row, number: int) -> tuple[str, str]:
    try:
        return texts(row)
    except KeyError as error:
        raise BadRowError(f"Row {number} of the snapshot has no {error}.") from error
    except ValueError as error:
        raise BadRowError(f"Row {number} of the snapshot: {error}.") from error


def _weight_of(row: Row, number: int) -> float:
    """1 where the row says nothing."""
    weight = row.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise BadRowError(f"Row {number} of the snapshot: weight must be a number above 0, not {weight!r}.")
    return float(weight)


def _alone(encode: Encode, answer: str) -> list[int]:
    """The tokens of an answer without those that begin every text."""
    (begin,), (ids,) = encode([""]), encode([answer])
    return ids[len(begin) :] if ids[: len(begin)] == begin else ids
