"""Gold: the answer that stands for what people decided about a pair. Pure functions on arrays.

A choice is 0 (tie), 1 or 2, as it is stored. NONE stands where a pair has no gold. Labels come flat, one element a
label: `pairs` (an index into the pairs, 0..n_pairs-1), `raters` (an index into the annotators) and `choices`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

NONE = -1
CHOICES = 3


def votes(*, pairs: Integers, choices: Integers, n_pairs: int) -> Integers:
    """How often each choice was given: shape (n_pairs, 3), columns tie, 1, 2."""
    cells = np.asarray(pairs, dtype=np.int64) * CHOICES + choices
    return np.bincount(cells, minlength=n_pairs * CHOICES).reshape(n_pairs, CHOICES)


def majority(counts: Integers, *, at_least: int = 1) -> Integers:
    """The choice that more than half of a pair's labels gave; NONE without one or with fewer labels than at_least.

    counts: as `votes` gives them.
    """
    total = counts.sum(axis=1)
    top = counts.argmax(axis=1)
    decided = (2 * counts.max(axis=1) > total) & (total >= max(at_least, 1))
    return np.where(decided, top, NONE).astype(np.int8)


def unanimous(counts: Integers, *, at_least: int = 2) -> Integers:
    """The choice that all of a pair's labels gave; NONE where they differ or are fewer than at_least."""
    total = counts.sum(axis=1)
    agreed = (counts.max(axis=1) == total) & (total >= max(at_least, 1))
    return np.where(agreed, counts.argmax(axis=1), NONE).astype(np.int8)


def adjudicated(gold: Integers, adjudications: Integers) -> Integers:
    """Adjudications (choice or NONE, a pair each) before whatever else decides."""
    return np.where(adjudications != NONE, adjudications, gold).astype(np.int8)


def majority_of_others(*, pairs: Integers, choices: Integers, n_pairs: int) -> Integers:
    """For each label, the strict majority of the other labels of its pair, or NONE: what a person is measured by."""
    counts = votes(pairs=pairs, choices=choices, n_pairs=n_pairs)[pairs]
    counts[np.arange(len(pairs)), choices] -= 1
    return majority(counts)


@dataclass(frozen=True)
class DawidSkene:
    """What the EM algorithm found.

    posterior: (n_pairs, 3), each choice's probability; rows of pairs without labels are NaN.
    error_rates: (n_raters, 3, 3), the probability that a rater says the column where the row is true.
    prior: (3,), how common each choice is. log_likelihood: after each iteration, never falling.
    """

    posterior: Floats
    error_rates: Floats
    prior: Floats
    log_likelihood: list[float]
    converged: bool


def dawid_skene(
    *,
    pairs: Integers,
    raters: Integers,
    choices: Integers,
    n_pairs: int,
    n_raters: int,
    n_choices: int = CHOICES,
    tolerance: float = 1e-8,
    max_iterations: int = 1000,
) -> DawidSkene:
    """Dawid and Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm.

    Starts from each pair's share of votes, as they do. Stops when the log-likelihood of a label rises by less than
    tolerance. Labels may be missing anywhere, and a rater may label a pair more than once.
    """
    cells = np.asarray(raters, dtype=np.int64) * n_choices + choices
    index, said, weights = _patterns(np.asarray(pairs), cells, n_pairs=n_pairs, n_cells=n_raters * n_choices)
    labelled = np.asarray(said.sum(axis=1)).ravel() > 0
    weights = weights * labelled
    posterior = _shares(said, n_choices)
    history: list[float] = []
    prior = np.full(n_choices, 1 / n_choices)
    error_rates = np.zeros((n_raters, n_choices, n_choices))
    converged = len(cells) == 0
    for _ in range(0 if converged else max_iterations):
        weighted = posterior * weights[:, None]
        prior = weighted.sum(axis=0) / weights.sum()
        error_rates = _error_rates(said, weighted, n_raters)
        posterior, logs = _expect(prior, error_rates, said)
        history.append(float(logs[labelled] @ weights[labelled]))
        if len(history) > 1 and history[-1] - history[-2] < tolerance * len(cells):
            converged = True
            break
    posterior[~labelled] = np.nan
    return DawidSkene(posterior[index], error_rates, prior, history, converged)


def _patterns(
    pairs: Integers, cells: Integers, *, n_pairs: int, n_cells: int
) -> tuple[Integers, "sparse.csr_matrix", Integers]:
    """Pairs that the same raters labelled the same are one to the model: which pattern each pair has (n_pairs,), how
    often each cell (a rater and a choice) is in a pattern (n_patterns, n_cells), and how many pairs have the pattern.
    """
    # Here, because every process of Tiebreak imports this module, and scipy takes a quarter of a second.
    from scipy import sparse

    # A pattern is known by its sum of random numbers, 64 bits each: two that differ all but never share it.
    marks = np.random.default_rng(0).integers(1, 2**63, n_cells, dtype=np.uint64)
    sums = np.zeros(n_pairs, dtype=np.uint64)
    order = np.argsort(pairs, kind="stable")
    at, starts = np.unique(pairs[order], return_index=True)
    if len(at):
        sums[at] = np.add.reduceat(marks[cells[order]], starts)
    _, first, index, weights = np.unique(sums, return_index=True, return_inverse=True, return_counts=True)
    chosen = np.full(n_pairs, -1)
    chosen[first] = np.arange(len(first))
    of_pattern = chosen[pairs]
    kept = of_pattern >= 0
    said = sparse.csr_matrix(
        (np.ones(int(kept.sum())), (of_pattern[kept], cells[kept])), shape=(len(first), n_cells), dtype=np.float64
    )
    return index, said, weights


def _shares(said: "sparse.csr_matrix", n_choices: int) -> Floats:
    """Each choice's share of a pattern's labels; zero where there are none."""
    counts = np.stack([np.asarray(said[:, c::n_choices].sum(axis=1)).ravel() for c in range(n_choices)], axis=1)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def _error_rates(said: "sparse.csr_matrix", weighted: Floats, n_raters: int) -> Floats:
    """The M step: counts of what raters said, weighted by how probable each truth is, by row made to sum to one."""
    n_choices = weighted.shape[1]
    counts = np.asarray(said.T @ weighted).reshape(n_raters, n_choices, n_choices).transpose(0, 2, 1)
    totals = counts.sum(axis=2, keepdims=True)
    return np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)


def _expect(prior: Floats, error_rates: Floats, said: "sparse.csr_matrix") -> tuple[Floats, Floats]:
    """The E step: the probability of each truth given a pattern's labels, and the log-likelihood of these."""
    n_choices = len(prior)
    with np.errstate(divide="ignore"):
        logs = said @ np.log(error_rates.transpose(0, 2, 1).reshape(-1, n_choices)) + np.log(prior)
    top = logs.max(axis=1, keepdims=True)
    scaled = np.exp(logs - top)
    total = scaled.sum(axis=1, keepdims=True)
    return scaled / total, (np.log(total) + top).ravel()


def most_probable(posterior: Floats) -> Integers:
    """The choice of the highest probability; NONE where two share it, or the row is NaN."""
    ordered = np.sort(posterior, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-9
    known = ~np.any(np.isnan(posterior), axis=1)
    top = np.where(known[:, None], posterior, 0).argmax(axis=1)
    return np.where(known & clear, top, NONE).astype(np.int8)
