"""Ratings of generators from wins and ties: Bradley and Terry's model on Elo's scale. Pure functions on arrays.

A tie counts as half a win for each. Ratings are centred on 1000; 400 points more means odds of ten to one.
"""

from dataclasses import dataclass

import numpy as np

from annotation.bootstrap import Floats, Integers, PromptBootstrap
from judging.scores.comparison import ABSENT

CENTRE = 1000.0
SCALE = 400 / np.log(10)
# Beyond this a generator that never lost in a resample is as far off as the percentile needs to know.
FURTHEST = 4000.0
# Of one step of a log strength, so that the search does not leap out of where a parabola says something.
LONGEST = 2.0


@dataclass(frozen=True)
class Rating:
    rating: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ratings:
    """by_generator: index to Rating, empty where ratings are not defined, which `undefined` explains.

    alike: generators (i, j) whose difference has an interval that holds zero.
    """

    by_generator: dict[int, Rating]
    alike: list[tuple[int, int]]
    undefined: str = ""


def strongly_connected(scores: Floats) -> np.ndarray:
    """Whether each generator beats or ties each other by some chain, without which no finite ratings exist (Ford 1957).

    scores: (..., g, g), [i, j] what i won against j. Generators that met nobody in the whole are not asked about.
    """
    size = scores.shape[-1]
    reach = (scores > 0) | np.eye(size, dtype=bool)
    for _ in range(max(int(np.ceil(np.log2(max(size, 2)))), 1)):
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    return np.asarray(reach.all(axis=(-2, -1)))


def bradley_terry(scores: Floats, *, start: Floats | None = None, tolerance: float = 1e-9, most: int = 200) -> Floats:
    """Log strengths (..., g), mean zero, that make a stack of score tables (..., g, g) likeliest.

    [i, j] is what i won against j, ties as a half to both. By Newton's method, which the likelihood's one summit suits;
    a step is no longer than LONGEST, and a table is left alone once none of its strengths moves by more than tolerance.
    """
    shape = scores.shape[:-1]
    tables = scores.reshape(-1, *scores.shape[-2:])
    met, won = tables + np.swapaxes(tables, -1, -2), tables.sum(axis=-1)
    logs = np.zeros(won.shape) if start is None else np.broadcast_to(start, won.shape).copy()
    limit = FURTHEST / SCALE
    moving = np.arange(len(tables))
    for _ in range(most):
        here = logs[moving]
        expected = met[moving] / (1 + np.exp(here[:, None, :] - here[:, :, None]))
        step = _newton(met[moving], expected, won[moving])
        moved = here + np.clip(step, -LONGEST, LONGEST)
        moved = np.clip(moved - moved.mean(axis=-1, keepdims=True), -limit, limit)
        logs[moving] = moved
        moving = moving[np.abs(moved - here).max(axis=-1, initial=0) > tolerance]
        if not len(moving):
            break
    return logs.reshape(shape)


def _newton(met: Floats, expected: Floats, won: Floats) -> Floats:
    """The step to the summit of the parabola that touches the log likelihood."""
    size = met.shape[-1]
    curved = expected * (1 - np.divide(expected, met, out=np.zeros_like(met), where=met > 0))
    # Only differences of strengths count: that their mean stays makes the matrix one that can be solved.
    matrix = np.eye(size) * (curved.sum(axis=-1) + 1e-9)[..., None] - curved + 1 / size
    slope = won - expected.sum(axis=-1)
    return np.asarray(np.linalg.solve(matrix, slope[..., None])[..., 0])


def _codes(first: Integers, second: Integers, choices: Integers, n: int) -> tuple[Integers, Integers]:
    """For each pair the cell that a win adds to, and the cell that a tie adds to as well (-1: none)."""
    counted = (first >= 0) & (second >= 0) & (first != second) & (choices != ABSENT)
    winner, loser = np.where(choices == 2, second, first), np.where(choices == 2, first, second)
    return (
        np.where(counted, winner.astype(np.int64) * n + loser, -1),
        np.where(counted & (choices == 0), loser.astype(np.int64) * n + winner, -1),
    )


def ratings(
    *, first: Integers, second: Integers, choices: Integers, n_generators: int, bootstrap: PromptBootstrap | None = None
) -> Ratings:
    """Rate generators 0..n-1 by gold or a judge's choices; first, second: (n,) whose responses, or negative."""
    ahead, also = _codes(first, second, choices, n_generators)
    size = n_generators**2
    share = np.where(also >= 0, 0.5, 1.0)
    table = np.bincount(ahead[ahead >= 0], share[ahead >= 0], size) + 0.5 * np.bincount(also[also >= 0], minlength=size)
    table = table.reshape(n_generators, n_generators)
    played = np.flatnonzero((table + table.T).sum(axis=1) > 0)
    if len(played) < 2:
        return Ratings({}, [], "No two generators' responses have been compared yet.")
    scores = table[np.ix_(played, played)]
    if not strongly_connected(scores):
        return Ratings({}, [], "One generator, or a group of them, won or lost everything against the rest.")
    logs = bradley_terry(scores)
    if bootstrap is None:
        return Ratings({int(g): Rating(CENTRE + SCALE * logs[i], None, None) for i, g in enumerate(played)}, [])
    # In one table, so that a win and a tie are counted on the same draw.
    items, halves = np.arange(len(ahead)), np.full(len(also), 0.5)
    drawn = bootstrap.counts(
        np.concatenate([ahead, also]), size, np.concatenate([share, halves]), items=np.concatenate([items, items])
    )
    drawn = drawn.reshape(-1, n_generators, n_generators)[:, played][:, :, played]
    return _with_intervals(played, logs, bradley_terry(drawn[strongly_connected(drawn)], start=logs, tolerance=1e-6))


def _with_intervals(played: Integers, logs: Floats, resampled: Floats) -> Ratings:
    elo = CENTRE + SCALE * resampled
    low, high = np.quantile(elo, [0.025, 0.975], axis=0)
    by_generator = {
        int(g): Rating(float(CENTRE + SCALE * logs[i]), float(low[i]), float(high[i])) for i, g in enumerate(played)
    }
    alike = []
    for i in range(len(played)):
        for j in range(i + 1, len(played)):
            lower, upper = np.quantile(elo[:, i] - elo[:, j], [0.025, 0.975])
            if lower <= 0 <= upper:
                alike.append((int(played[i]), int(played[j])))
    return Ratings(by_generator, alike)
