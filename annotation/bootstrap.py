"""The bootstrap that resamples prompts, because pairs that share a prompt are not independent. Pure numpy.

Whatever is measured here is a function of counts: of pairs by confusion cell, by composition of votes, by side chosen.
So a resample is a weight for each prompt, and what it counted is one product of matrices.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2000
# Up to here (prompts times resamples) the weights of all resamples are kept, and all measures share them.
SHARED_LIMIT = 4_000_000
CHUNK = 8_000_000
# Of prompts of more kinds than this (kinds times resamples) the sums are drawn from their normal limit.
DRAWN_LIMIT = 2_000_000


@dataclass
class PromptBootstrap:
    """Resamples of the prompts of n items.

    prompts: (n,), any integers, equal for items that share a prompt. The same seed gives the same resamples.
    """

    prompts: Integers
    resamples: int = RESAMPLES
    seed: int = 0
    _index: Integers = field(init=False, repr=False)
    _n_prompts: int = field(init=False, repr=False)
    _shared: Floats | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        distinct, self._index = np.unique(self.prompts, return_inverse=True)
        self._n_prompts = len(distinct)

    @property
    def n_prompts(self) -> int:
        return self._n_prompts

    @property
    def shares_weights(self) -> bool:
        """There are few enough prompts to draw them one by one, once for all measures."""
        return self._n_prompts * self.resamples <= SHARED_LIMIT

    def prompt_of(self, items: Integers) -> Integers:
        """The prompts of some items, numbered from 0."""
        return self._index[items]

    def counts(
        self, codes: Integers, n_codes: int, values: Floats | None = None, *, items: Integers | None = None
    ) -> Floats:
        """What each resample counts of each code: (resamples, n_codes).

        codes: (n,), 0..n_codes-1, or negative for an item that is not counted. values: (n,), summed instead of
        counting. items: which of the n items the codes are of, where they are not of all in order. Every prompt is
        drawn from, those without a counted item too.
        """
        # Here, because every process of Tiebreak imports this module, and scipy takes a quarter of a second.
        from scipy import sparse

        if self._n_prompts == 0:
            return np.zeros((self.resamples, n_codes))
        counted = codes >= 0
        index = self._index if items is None else self._index[items]
        weights = np.ones(len(codes)) if values is None else values
        table = sparse.csr_matrix(
            (weights[counted], (index[counted], codes[counted])), shape=(self._n_prompts, n_codes)
        )
        if self.shares_weights:
            return np.asarray((table.T @ self._weights()).T)
        return self._of_distinct_rows(table)

    def _weights(self) -> Floats:
        """(n_prompts, resamples). A prompt's row lies together: the product would copy them all each time otherwise."""
        if self._shared is None:
            rng = np.random.default_rng(self.seed)
            even = np.full(self._n_prompts, 1 / self._n_prompts)
            drawn = rng.multinomial(self._n_prompts, even, size=self.resamples)
            self._shared = np.ascontiguousarray(drawn.T, dtype=np.float64)
        return self._shared

    def _of_distinct_rows(self, table: "sparse.csr_matrix") -> Floats:
        """Prompts that count the same are interchangeable: how many of each kind are drawn is a multinomial.

        With many prompts of few pairs the kinds are few, which makes 300,000 pairs as quick as a thousand. Where they
        are many, drawing each would take seconds: then there are so many prompts that the sum has its normal limit.
        """
        rng = np.random.default_rng(self.seed)
        # A row's kind is its product with random numbers: equal rows give equal sums, others all but never do.
        kinds = table @ np.random.default_rng(0).random(table.shape[1])
        _, first, sizes = np.unique(np.round(kinds, 12), return_index=True, return_counts=True)
        if len(first) * self.resamples > DRAWN_LIMIT:
            return self._of_normal_limit(table, rng)
        rows = table[first]
        sums = np.empty((self.resamples, table.shape[1]))
        step = max(CHUNK // len(first), 1)
        for start in range(0, self.resamples, step):
            stop = min(start + step, self.resamples)
            drawn = rng.multinomial(self._n_prompts, sizes / self._n_prompts, size=stop - start)
            sums[start:stop] = (rows.T @ drawn.T.astype(np.float64)).T
        return sums

    def _of_normal_limit(self, table: "sparse.csr_matrix", rng: np.random.Generator) -> Floats:
        """Sums of prompts drawn with replacement, by the central limit theorem: their mean and covariance are known.

        Van der Vaart (1998), Asymptotic statistics, section 23.2. Counts cannot be below zero.
        """
        total = np.asarray(table.sum(axis=0)).ravel()
        covariance = (table.T @ table).toarray() - np.outer(total, total) / self._n_prompts
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        sums = total + rng.standard_normal((self.resamples, len(total))) @ root.T
        return np.clip(sums, 0, None) if (table.data >= 0).all() else sums


def percentile_interval(values: Floats, level: float = 0.95) -> Interval | None:
    """The middle `level` of resampled values (resamples,). None where over 5% of the resamples have no value (NaN)."""
    known = values[~np.isnan(values)]
    if len(known) == 0 or len(known) < 0.95 * len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
