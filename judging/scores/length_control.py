"""Whose responses a judge prefers where both are equally long. Pure functions on arrays.

After the idea of length-controlled AlpacaEval (Dubois et al., arXiv 2404.04475): a logistic model of the preference,

    log odds that i's response beats j's = strength_i - strength_j + effect * tanh((length_i - length_j) / spread),

with lengths in characters and `spread` the root mean square of their differences, read off where the difference is
zero. It is fitted to all pairs of all generators at once, with one effect a judge; a tie is half a win for each. The
term for how hard a prompt is, which the paper has, is left out: it takes more answers to a prompt than a dataset has.
"""

from dataclasses import dataclass, field

import numpy as np

from annotation.agreement import Measure, divide, measured
from annotation.bootstrap import Floats, Integers, PromptBootstrap, percentile_interval
from judging.scores.ratings import CENTRE, SCALE, Rating, strongly_connected

# A log strength or an effect beyond this is on its way to infinity: lengths tell wins from losses without fail.
FURTHEST = 20.0
STEPS, TOLERANCE = 50, 1e-10
NOT_MET = "They have not been compared."
SEPARATE = "One generator, or a group of them, won or lost everything against the rest."
EQUAL_LENGTHS = "All responses that were compared are equally long."
CERTAIN = "Lengths and generators tell wins from losses without fail, so no finite numbers exist."


@dataclass(frozen=True)
class LengthControl:
    """strengths: (n_generators,) log strengths with mean zero, NaN for who met nobody; resampled: (resamples, same).

    effect: how far the judge follows length, in log odds; 0 is not at all. spread: in characters. undefined says why
    there is nothing, where strengths are empty.
    """

    strengths: Floats
    effect: Measure
    spread: float | None = None
    resampled: Floats | None = field(default=None, repr=False)
    undefined: str = ""

    def win_rate(self, generator: int, baseline: int) -> Measure:
        """How often a generator's response would be preferred to an equally long one of the baseline, 0 to 1."""
        if self.undefined:
            return Measure(None, undefined=self.undefined)
        drawn = self.resampled
        return measured(
            _logistic(self.strengths[generator] - self.strengths[baseline]),
            resampled=None if drawn is None else _logistic(drawn[:, generator] - drawn[:, baseline]),
            undefined=NOT_MET,
            n=self.effect.n,
        )

    def rating(self, generator: int) -> Rating | None:
        """On the scale of judging.scores.ratings; None where there is none."""
        if self.undefined or np.isnan(self.strengths[generator]):
            return None
        interval = None
        if self.resampled is not None:
            interval = percentile_interval(CENTRE + SCALE * self.resampled[:, generator])
        low, high = interval or (None, None)
        return Rating(float(CENTRE + SCALE * self.strengths[generator]), low, high)


@dataclass(frozen=True)
class _Games:
    """Pairs that count, from the first one's view. won: 1, 0 or, of a tie, 0.5. shift: tanh of the length difference.

    first, second: indices of parameters; the effect is the last of n_parameters. items: which pairs they are.
    """

    first: Integers
    second: Integers
    won: Floats
    shift: Floats
    n_parameters: int
    items: Integers


def length_control(
    *,
    first: Integers,
    second: Integers,
    choices: Integers,
    lengths: Integers,
    n_generators: int,
    bootstrap: PromptBootstrap | None = None,
) -> LengthControl:
    """Fit the model to gold or a judge's choices.

    first, second: (n,) whose responses, negative where not known. choices: (n,) 0, 1, 2; all else is not counted.
    lengths: (2, n) characters.
    """
    items = np.flatnonzero((first >= 0) & (second >= 0) & (first != second) & (choices >= 0) & (choices <= 2))
    played = np.unique(np.concatenate([first[items], second[items]]))
    if len(played) < 2:
        return _nothing("No two generators' responses have been compared yet.")
    difference = (lengths[0][items] - lengths[1][items]).astype(float)
    spread = float(np.sqrt((difference**2).mean()))
    if not spread:
        return _nothing(EQUAL_LENGTHS)
    games = _Games(
        first=np.searchsorted(played, first[items]),
        second=np.searchsorted(played, second[items]),
        won=np.choose(choices[items], [0.5, 1.0, 0.0]),
        shift=np.tanh(difference / spread),
        n_parameters=len(played) + 1,
        items=items,
    )
    if not strongly_connected(_scores(games)):
        return _nothing(SEPARATE)
    fitted = _fit(games)
    if fitted is None:
        return _nothing(CERTAIN)
    drawn = None if bootstrap is None else _resampled(games, fitted, bootstrap)
    return LengthControl(
        strengths=_placed(fitted[:-1], played, n_generators),
        effect=measured(fitted[-1], resampled=None if drawn is None else drawn[:, -1], undefined=CERTAIN, n=len(items)),
        spread=spread,
        resampled=None if drawn is None else _placed(drawn[:, :-1], played, n_generators),
    )


def win_rate(
    *,
    first: Integers,
    second: Integers,
    choices: Integers,
    generator: int,
    baseline: int,
    bootstrap: PromptBootstrap | None = None,
) -> Measure:
    """The share of pairs of the two that the generator wins, a tie being half a win, as it was said."""
    ahead = (first == generator) & (second == baseline)
    behind = (first == baseline) & (second == generator)
    counted = (ahead | behind) & (choices >= 0) & (choices <= 2)
    wins = np.where(ahead, choices == 1, choices == 2)
    won = np.where(choices == 0, 0.5, wins)
    codes = np.where(counted, 0, -1)
    drawn = None
    if bootstrap is not None:
        # One call, so that the sum and the number are of the same resamples.
        both = np.concatenate([codes, np.where(counted, 1, -1)])
        values = np.concatenate([won, np.ones(len(won))])
        sums = bootstrap.counts(both, 2, values, items=np.tile(np.arange(len(codes)), 2))
        drawn = divide(sums[:, 0], sums[:, 1])
    n = int(counted.sum())
    return measured(divide(won[counted].sum(), n), resampled=drawn, undefined=NOT_MET, n=n)


def _nothing(why: str) -> LengthControl:
    return LengthControl(np.array([]), Measure(None, undefined=why), undefined=why)


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def _placed(values: Floats, played: Integers, n_generators: int) -> Floats:
    """The values (..., played) at their generators' places; NaN for who met nobody."""
    whole = np.full((*values.shape[:-1], n_generators), np.nan)
    whole[..., played] = values
    return whole


def _scores(games: _Games) -> Floats:
    size = games.n_parameters - 1
    table = np.zeros((size, size))
    np.add.at(table, (games.first, games.second), games.won)
    np.add.at(table, (games.second, games.first), 1 - games.won)
    return table


def _terms(games: _Games, parameters: Floats) -> tuple[Integers, Floats]:
    """What each game adds to the gradient and to the information of the log-likelihood, as (codes, values).

    Code k is the gradient's element k; P + a * P + b is the element (a, b) of the information, above its diagonal. Nine
    of them a game, one game after another.
    """
    size = games.n_parameters
    last = np.full(len(games.first), size - 1)
    log_odds = parameters[games.first] - parameters[games.second] + parameters[-1] * games.shift
    p = _logistic(log_odds)
    rest, weight, shift = games.won - p, p * (1 - p), games.shift

    def element(a: Integers, b: Integers) -> Integers:
        return size + np.minimum(a, b) * size + np.maximum(a, b)

    terms = [
        (games.first, rest),
        (games.second, -rest),
        (last, rest * shift),
        (element(games.first, games.first), weight),
        (element(games.second, games.second), weight),
        (element(games.first, games.second), -weight),
        (element(games.first, last), weight * shift),
        (element(games.second, last), -weight * shift),
        (element(last, last), weight * shift**2),
    ]
    return np.concatenate([codes for codes, _ in terms]), np.concatenate([values for _, values in terms])


def _unpacked(sums: Floats, size: int) -> tuple[Floats, Floats]:
    """Gradient (..., P) and information (..., P, P). The strengths' mean is held at zero, which nothing else says."""
    gradient, upper = sums[..., :size], sums[..., size:].reshape(*sums.shape[:-1], size, size)
    information = upper + np.swapaxes(np.triu(upper, 1), -1, -2)
    information[..., :-1, :-1] += 1 / (size - 1)
    return gradient, information


def _fit(games: _Games) -> Floats | None:
    """Strengths and, last, the effect, by Newton's method with halved steps; None where there is no finite maximum."""
    size = games.n_parameters
    parameters = np.zeros(size)
    for _ in range(STEPS):
        codes, values = _terms(games, parameters)
        sums = np.asarray(np.bincount(codes, values, size + size**2), dtype=np.float64)
        gradient, information = _unpacked(sums, size)
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, gradient)
        before = _likelihood(games, parameters)
        while _likelihood(games, parameters + step) < before - 1e-9 and np.abs(step).max() > TOLERANCE:
            step /= 2
        parameters = parameters + step
        if np.abs(parameters).max() > FURTHEST:
            return None
        if np.abs(step).max() < TOLERANCE:
            break
    return parameters


def _likelihood(games: _Games, parameters: Floats) -> float:
    log_odds = parameters[games.first] - parameters[games.second] + parameters[-1] * games.shift
    return float((games.won * log_odds - np.logaddexp(0, log_odds)).sum())


def _resampled(games: _Games, fitted: Floats, bootstrap: PromptBootstrap) -> Floats:
    """Parameters of each resample of prompts: one step of Newton's method from those of the whole (resamples, P).

    The one-step bootstrap (Davidson and MacKinnon 1999): the refit itself to the first order, in a thousandth of its
    time. A resample that leaves something undetermined is NaN.
    """
    size = games.n_parameters
    codes, values = _terms(games, fitted)
    sums = bootstrap.counts(codes, size + size**2, values, items=np.tile(games.items, len(codes) // len(games.items)))
    gradient, information = _unpacked(sums, size)
    known = np.linalg.cond(information) < 1e10
    drawn = np.full(gradient.shape, np.nan)
    drawn[known] = fitted + np.linalg.solve(information[known], gradient[known][..., None])[..., 0]
    return drawn
