"""How judges do on pairs of one kind: of a source, of a length, of two generators. Every number leads to its pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

import numpy as np

from annotation.agreement import Measure
from annotation.bootstrap import RESAMPLES, Floats, Integers, PromptBootstrap
from annotation.models import Dataset
from judging.agreement.evidence import PairFacts, of_source, pair_facts
from judging.models import JudgeRun
from judging.scores.comparison import ABSENT, COLUMNS, ROWS, cells, classification, measures_of
from judging.scores.evidence import Evidence, read
from judging.scores.keeping import content_of, kept
from judging.scores.leaderboard import has_many
from judging.scores.length import quarters
from judging.scores.policies import Policy
from judging.scores.scoring import choices_of, gold_of

# The slices with most pairs, and judges that are shown where nobody chose any.
SLICES_SHOWN = 40
JUDGES_SHOWN = 4
CELLS = ROWS * COLUMNS


class SliceBy(StrEnum):
    """By what pairs are told apart."""

    SOURCE = "source"
    LENGTH = "length"
    GENERATORS = "generators"


@dataclass(frozen=True)
class JudgeCell:
    """A judge on one slice: pairs with gold and a verdict, how many of them it has wrong, and what the review list is
    asked for both.
    """

    run: JudgeRun
    n: int
    wrong: int
    accuracy: Measure
    kappa: Measure
    judged_query: str
    wrong_query: str


@dataclass(frozen=True)
class Slice:
    """pairs: all there are. query: what the review list is asked for them, "" where it cannot tell them."""

    name: str
    pairs: int
    query: str
    judges: list[JudgeCell]


@dataclass(frozen=True)
class BoardSlices:
    by: SliceBy
    policy: Policy
    judges: list[JudgeRun]
    slices: list[Slice]
    left_out: int


@dataclass(frozen=True)
class Kinds:
    """of_pair: (n_pairs,) which of the kinds a pair is, or -1. named: (name, query for the review list) of each."""

    of_pair: Integers
    named: list[tuple[str, str]]


def slices_of(
    *, dataset: Dataset, policy: Policy, by: SliceBy, runs: Sequence[JudgeRun], wait: bool
) -> BoardSlices | None:
    """The slices of these runs, of the best few judges where none is named; None where it takes long to make.

    The rows are read each time; what was made of just these is kept.
    """
    if not wait and has_many(dataset):
        return None
    evidence = read(dataset)
    content = f"{content_of(evidence)} {sorted(run.pk for run in runs)}"
    name = f"board-slices:{dataset.pk}:{policy.name}:{by}"
    return kept(name, content, lambda: arrange(evidence, policy=policy, by=by, runs=runs))


def arrange(
    evidence: Evidence, *, policy: Policy, by: SliceBy, runs: Sequence[JudgeRun] = (), resamples: int = RESAMPLES
) -> BoardSlices:
    gold = gold_of(evidence, policy)
    said = _chosen(gold, [(run.run, said) for _, said, run in choices_of(evidence, policy, gold) if run], runs)
    kinds = kinds_of(evidence, gold, by)
    pairs = np.bincount(kinds.of_pair[kinds.of_pair >= 0], minlength=len(kinds.named))
    with_gold = np.bincount(kinds.of_pair[(gold != ABSENT) & (kinds.of_pair >= 0)], minlength=len(kinds.named))
    most = [int(kind) for kind in np.argsort(-with_gold, kind="stable") if with_gold[kind]]
    if by is SliceBy.LENGTH:
        most.sort()
    shown = most[:SLICES_SHOWN]
    place = np.full(len(kinds.named) + 1, -1)
    place[shown] = np.arange(len(shown))
    bootstrap = PromptBootstrap(evidence.prompts, resamples)
    # Pairs of no kind are numbered -1, which is the last place, and that is none.
    found = {run.pk: by_kind(gold, says, place[kinds.of_pair], len(shown), bootstrap) for run, says in said}
    slices = [
        Slice(
            kinds.named[kind][0],
            int(pairs[kind]),
            kinds.named[kind][1],
            [_cell(run, *found[run.pk][row], kinds.named[kind][1], policy) for run, _ in said],
        )
        for row, kind in enumerate(shown)
    ]
    return BoardSlices(by, policy, [run for run, _ in said], slices, len(most) - len(shown))


def _chosen(
    gold: Integers, said: list[tuple[JudgeRun, Integers]], runs: Sequence[JudgeRun]
) -> list[tuple[JudgeRun, Integers]]:
    """Those that are asked for, else the few that are right most often; the best first."""

    def right(one: tuple[JudgeRun, Integers]) -> float:
        counted = (gold != ABSENT) & (one[1] != ABSENT)
        return float((one[1] == gold)[counted].mean()) if counted.any() else 0.0

    asked = {run.pk for run in runs}
    best = sorted(said, key=right, reverse=True)
    return [one for one in best if one[0].pk in asked] if asked else best[:JUDGES_SHOWN]


def _cell(run: JudgeRun, table: Integers, measures: dict[str, Measure], query: str, policy: Policy) -> JudgeCell:
    n, right = int(table.sum()), int(np.trace(table))
    asked = {"policy": policy.name, "run": run.pk}
    judged, wrong = (
        urlencode(asked | more) + (f"&{query}" if query else "")
        for more in ({"gold": "any", "verdict": "given"}, {"kind": "human_judge"})
    )
    return JudgeCell(run, n, n - right, measures["accuracy"], measures["kappa"], judged, wrong)


def by_kind(
    gold: Integers, said: Integers, kinds: Integers, n_kinds: int, bootstrap: PromptBootstrap
) -> list[tuple[Integers, dict[str, Measure]]]:
    """Of each kind of pairs the confusion table (3, 4) and the measures of `classification`, with their intervals.

    gold, said, kinds: (n_pairs,); a kind of -1 is not counted. Prompts are resampled whole, with pairs of all kinds.
    """
    if not n_kinds:
        return []
    cell = cells(gold, said)
    codes = np.where((cell >= 0) & (kinds >= 0), kinds * CELLS + cell, -1)
    tables = np.bincount(codes[codes >= 0], minlength=n_kinds * CELLS).reshape(n_kinds, ROWS, COLUMNS)
    counts: Floats = bootstrap.counts(codes, n_kinds * CELLS).reshape(-1, n_kinds, ROWS, COLUMNS)
    drawn = classification(counts)
    return [
        (table, measures_of(table, {name: values[:, kind] for name, values in drawn.items()}))
        for kind, table in enumerate(tables)
    ]


def kinds_of(evidence: Evidence, gold: Integers, by: SliceBy) -> Kinds:
    if by is SliceBy.GENERATORS:
        return of_generators(evidence.first, evidence.second, evidence.generators)
    facts = pair_facts(dataset=evidence.dataset, ids=evidence.pair_ids)
    # A pair that has gone since the evidence was read is of no kind.
    at = np.searchsorted(evidence.pair_ids, facts.ids)
    of_facts, named = _of_facts(facts, gold[at] != ABSENT, by)
    of_pair = np.full(evidence.n_pairs, -1)
    of_pair[at] = of_facts
    return Kinds(of_pair, named)


def _of_facts(facts: PairFacts, counted: np.ndarray, by: SliceBy) -> tuple[Integers, list[tuple[str, str]]]:
    if by is SliceBy.SOURCE:
        named = [(name or "No source", urlencode(of_source(name))) for name in facts.source_names]
        return facts.sources, named
    return quarters(facts.lengths, counted) if counted.any() else (facts.lengths * 0, [("any", "")])


def of_generators(first: Integers, second: Integers, names: Sequence[str]) -> Kinds:
    """Pairs by their two generators, whichever stands first; those of one generator alone, or none known, are left."""
    known = (first >= 0) & (second >= 0) & (first != second)
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    codes = np.where(known, low * len(names) + high, -1)
    distinct = np.unique(codes[codes >= 0])
    both = [(names[code // len(names)], names[code % len(names)]) for code in distinct.tolist()]
    named = [(f"{a} / {b}", urlencode({"generators": f"{a}|{b}"})) for a, b in both]
    return Kinds(np.where(codes >= 0, np.searchsorted(distinct, codes), -1), named)
