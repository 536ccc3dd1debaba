"""The scores of a dataset under a policy: what `manage.py scores` prints and the leaderboard shows."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from annotation import gold as golds
from annotation.agreement import (
    Measure,
    Splits,
    between,
    cohen_kappa,
    measured,
    overall,
    position,
    splits,
    why_undefined,
)
from annotation.bootstrap import RESAMPLES, Floats, Integers, PromptBootstrap
from annotation.models import Dataset, User
from judging.models import JudgeRun
from judging.scores.altest import EPSILON, AltTest, alt_test
from judging.scores.calibration import brier, expected_calibration_error, probabilities, reliability
from judging.scores.comparison import (
    ABSENT,
    Paired,
    confusion,
    decided,
    flips,
    holm,
    paired,
    scored,
    share,
    win_tie_loss,
)
from judging.scores.evidence import Evidence, RunEvidence, read
from judging.scores.length import length_preference
from judging.scores.policies import Gold, NoGold, Policy
from judging.scores.position import judge_position
from judging.scores.ratings import Ratings, ratings

SIGNIFICANT = 0.05
# Beyond this many people the kappas of each two have no intervals: there are too many of them to wait for.
PEOPLE_WITH_INTERVALS = 15
BASELINE = "baseline"
ONE_ORDER = "The judge has no valid verdicts in both orders."
NO_SIDES = "All verdicts are ties or invalid."


@dataclass(frozen=True)
class Person:
    """One annotator: labels, side, the longer response, and how they do against the majority of the others."""

    user: User
    n: int
    first_share: Measure
    length_preference: Measure
    against_others: dict[str, Measure]


@dataclass(frozen=True)
class Humans:
    """cohen, between: keyed by indices (a, b) of people, a < b. ceiling: each label against the others' majority."""

    people: list[Person]
    length_preference: Measure
    agreement: dict[str, Measure]
    cohen: dict[tuple[int, int], Measure]
    between: dict[tuple[int, int], list[list[int]]]
    splits: Splits
    ceiling: dict[str, Measure]


@dataclass(frozen=True)
class JudgeScore:
    """A judge's row. measures: those of `classification`, first_share, first_share_after_rule, length_preference,
    flip_rate, ece, brier."""

    name: str
    kind: str
    run: JudgeRun | None
    measures: dict[str, Measure]
    n: int
    invalid: int
    coverage: float | None
    confusion: list[list[int]]
    alt_test: AltTest
    reliability: list[tuple[float, float, float, int]]
    pairs_per_second: float | None
    cost_per_1000: float | None


@dataclass(frozen=True)
class Comparison:
    a: str
    b: str
    paired: Paired
    p_holm: float

    @property
    def significant(self) -> bool:
        """By McNemar's test, which takes pairs for independent."""
        return self.p_holm < SIGNIFICANT

    @property
    def told_apart(self) -> bool:
        """Significant, and the interval that knows of shared prompts leaves out zero as well."""
        interval = self.paired.difference.interval
        return self.significant and interval is not None and not interval[0] <= 0 <= interval[1]


@dataclass(frozen=True)
class Generators:
    """wins, ties: [i][j] counts between generators i and j of names."""

    names: list[str]
    wins: list[list[int]]
    ties: list[list[int]]
    ratings: Ratings


@dataclass(frozen=True)
class Scores:
    dataset: Dataset
    policy: Policy
    epsilon: float
    resamples: int
    seed: int
    n_pairs: int
    n_gold: int
    n_prompts: int
    gold: dict[str, int]
    humans: Humans
    judges: list[JudgeScore]
    comparisons: list[Comparison]
    generators: Generators


def scores_of(
    *, dataset: Dataset, policy: Policy, epsilon: float = EPSILON, resamples: int = RESAMPLES, seed: int = 0
) -> Scores:
    """Read a dataset and score it. The same rows, policy, resamples and seed give the same numbers."""
    return score(read(dataset), policy=policy, epsilon=epsilon, resamples=resamples, seed=seed)


def score(evidence: Evidence, *, policy: Policy, epsilon: float, resamples: int, seed: int) -> Scores:
    gold = gold_of(evidence, policy)
    bootstrap = PromptBootstrap(evidence.prompts, resamples, seed)
    choices = choices_of(evidence, policy, gold)
    judges = [_judge_score(evidence, policy, gold, said, run, name, bootstrap, epsilon) for name, said, run in choices]
    counts = np.bincount(gold[gold != ABSENT], minlength=3)
    return Scores(
        dataset=evidence.dataset,
        policy=policy,
        epsilon=epsilon,
        resamples=resamples,
        seed=seed,
        n_pairs=evidence.n_pairs,
        n_gold=int(counts.sum()),
        n_prompts=len(np.unique(evidence.prompts[gold != ABSENT])),
        gold={"1": int(counts[1]), "2": int(counts[2]), "tie": int(counts[0])},
        humans=humans_of(evidence, resamples=resamples, seed=seed),
        judges=judges,
        comparisons=_comparisons(gold, choices, bootstrap),
        generators=_generators(evidence, gold, bootstrap),
    )


def least_labels(dataset: Dataset) -> int:
    """How many labels a pair needs for gold: two where the dataset wants two or more, one where it wants one."""
    return min(2, max(dataset.labels_per_pair, 1))


def gold_of(evidence: Evidence, policy: Policy) -> Integers:
    """Each pair's gold under the policy's first two rules: choice or ABSENT.

    A pair nobody labelled or adjudicated has no gold whatever the policy says of ties. judging.review.disagreement
    says the same in SQL.
    """
    at_least = least_labels(evidence.dataset)
    votes = golds.votes(pairs=evidence.label_pairs, choices=evidence.label_choices, n_pairs=evidence.n_pairs)
    if policy.gold is Gold.UNANIMOUS:
        gold = golds.unanimous(votes, at_least=at_least)
    elif policy.gold is Gold.DAWID_SKENE:
        model = golds.dawid_skene(
            pairs=evidence.label_pairs,
            raters=evidence.label_raters,
            choices=evidence.label_choices,
            n_pairs=evidence.n_pairs,
            n_raters=len(evidence.annotators),
        )
        enough = votes.sum(axis=1) >= at_least
        gold = np.where(enough, golds.most_probable(model.posterior), ABSENT)
    else:
        gold = golds.majority(votes, at_least=at_least)
    if policy.gold is Gold.ADJUDICATED:
        gold = golds.adjudicated(gold, evidence.adjudications)
    if policy.no_gold is NoGold.TIE:
        gold = np.where((gold == ABSENT) & (votes.sum(axis=1) > 0), 0, gold)
    return gold.astype(np.int8)


Said = tuple[str, Integers, RunEvidence | None]


def choices_of(evidence: Evidence, policy: Policy, gold: Integers) -> list[Said]:
    """What each judge and baseline says of each pair: (name, choices, run). A baseline that has a run is that run."""
    said: list[Said] = [
        (run.run.judge.name, decided(run.passes, conflict=policy.conflict, invalid=policy.invalid), run)
        for run in evidence.runs
    ]
    have = {run.run.judge.model for run in evidence.runs if run.run.judge.backend == BASELINE}
    longer = np.where(
        evidence.lengths[0] > evidence.lengths[1], 1, np.where(evidence.lengths[1] > evidence.lengths[0], 2, 0)
    ).astype(np.int8)
    counts = np.bincount(gold[gold != ABSENT], minlength=3)
    most = int(counts.argmax())
    baselines = {
        "majority": (f"always {most or 'tie'}", np.full(evidence.n_pairs, most, dtype=np.int8)),
        "longer": ("longer response", longer),
        "shorter": ("shorter response", np.array([0, 2, 1], dtype=np.int8)[longer]),
        "token-f1": ("token F1 against the reference", evidence.nearer_reference),
    }
    taken = {name for name, _, _ in said}
    for key, (name, verdicts) in baselines.items():
        if key not in have and verdicts is not None and counts.any():
            said.append((name if name not in taken else f"{name} (computed here)", verdicts, None))
    return said


def _judge_score(
    evidence: Evidence,
    policy: Policy,
    gold: Integers,
    said: Integers,
    run: RunEvidence | None,
    name: str,
    bootstrap: PromptBootstrap,
    epsilon: float,
) -> JudgeScore:
    table = confusion(gold, said)
    n, n_gold = int(table.sum()), int((gold != ABSENT).sum())
    passes_of = {} if run is None else _pass_measures(run, policy, gold, bootstrap)
    none = Measure(None, undefined="A baseline sees no order.")
    extra = {"first_share": none, "flip_rate": none, "ece": none, "brier": none} | passes_of
    extra["first_share_after_rule"] = _share_of_first(said, bootstrap)
    extra["length_preference"] = length_preference(said, evidence.lengths, bootstrap)
    n_judged = 0 if run is None else int(((run.passes.given != ABSENT) | (run.passes.swapped != ABSENT)).sum())
    return JudgeScore(
        name=name,
        kind=BASELINE if run is None else run.run.judge.backend,
        run=None if run is None else run.run,
        measures=scored(gold, said, bootstrap) | extra,
        n=n,
        invalid=0 if run is None else run.invalid,
        coverage=n / n_gold if n_gold else None,
        confusion=table.tolist(),
        alt_test=alt_test(
            pairs=evidence.label_pairs,
            raters=evidence.label_raters,
            choices=evidence.label_choices,
            verdicts=said,
            n_raters=len(evidence.annotators),
            epsilon=epsilon,
        ),
        reliability=[] if run is None else reliability(gold, _p(run, policy)),
        pairs_per_second=n_judged / run.seconds if run and run.seconds else None,
        cost_per_1000=1000 * run.cost / n_judged if run and run.cost is not None and n_judged else None,
    )


def _p(run: RunEvidence, policy: Policy) -> Floats:
    return probabilities(run.passes, conflict=policy.conflict)


def _pass_measures(run: RunEvidence, policy: Policy, gold: Integers, bootstrap: PromptBootstrap) -> dict[str, Measure]:
    """What is measured on the verdicts as they were given, before the order rule, and on their probabilities."""
    p = _p(run, policy)
    return {
        "first_share": judge_position(run.passes, undefined=NO_SIDES, bootstrap=bootstrap),
        "flip_rate": share(flips(run.passes), undefined=ONE_ORDER, bootstrap=bootstrap),
        "ece": expected_calibration_error(gold, p, bootstrap),
        "brier": brier(gold, p, bootstrap),
    }


def _share_of_first(said: Integers, bootstrap: PromptBootstrap) -> Measure:
    codes = np.where((said == 1) | (said == 2), said == 1, -1)
    return share(codes, undefined=NO_SIDES, bootstrap=bootstrap)


def _comparisons(gold: Integers, choices: list[Said], bootstrap: PromptBootstrap) -> list[Comparison]:
    """Each two judges, and each judge with each baseline, that decided the same pairs; p by Holm over all together."""
    every = [
        Comparison(a, b, paired(gold, said_a, said_b, bootstrap), 1.0)
        for (a, said_a, run_a), (b, said_b, run_b) in combinations(choices, 2)
        if not (_is_baseline(run_a) and _is_baseline(run_b))
    ]
    # A judge that has said nothing yet is told from nobody, and would cost the others of Holm's level.
    found = [comparison for comparison in every if comparison.paired.n]
    adjusted = holm([comparison.paired.p for comparison in found])
    return [replace(comparison, p_holm=float(p)) for comparison, p in zip(found, adjusted, strict=True)]


def _is_baseline(run: RunEvidence | None) -> bool:
    return run is None or run.run.judge.backend == BASELINE


def _generators(evidence: Evidence, gold: Integers, bootstrap: PromptBootstrap) -> Generators:
    pairs = {"first": evidence.first, "second": evidence.second, "choices": gold}
    n = len(evidence.generators)
    wins, ties = win_tie_loss(**pairs, n_generators=n)
    return Generators(
        evidence.generators, wins.tolist(), ties.tolist(), ratings(**pairs, n_generators=n, bootstrap=bootstrap)
    )


def humans_of(evidence: Evidence, *, resamples: int = RESAMPLES, seed: int = 0) -> Humans:
    """How people agree, with each other and with themselves' majority, and which side they choose.

    Resampled are the prompts of pairs that somebody labelled: those that nobody has come to say nothing of people.
    """
    pairs, raters, choices = evidence.label_pairs, evidence.label_raters, evidence.label_choices
    n_raters = len(evidence.annotators)
    votes = golds.votes(pairs=pairs, choices=choices, n_pairs=evidence.n_pairs)
    others = golds.majority_of_others(pairs=pairs, choices=choices, n_pairs=evidence.n_pairs)
    labelled = votes.sum(axis=1) > 0
    of_pairs = PromptBootstrap(evidence.prompts[labelled], resamples, seed)
    of_labels = PromptBootstrap(evidence.prompts[pairs], resamples, seed)
    lengths = evidence.lengths[:, pairs]
    people = []
    for rater, user in enumerate(evidence.annotators):
        own = raters == rater
        aligned = np.where(own, choices, ABSENT)
        people.append(
            Person(
                user,
                int(own.sum()),
                position(aligned, evidence.label_swapped, of_labels),
                length_preference(aligned, lengths, of_labels),
                scored(np.where(own, others, ABSENT), aligned, of_labels),
            )
        )
    tables = between(pairs=pairs, raters=raters, choices=choices, n_pairs=evidence.n_pairs, n_raters=n_raters)
    met = [(a, b) for a, b in combinations(range(n_raters), 2)]
    return Humans(
        people=people,
        length_preference=length_preference(choices, lengths, of_labels),
        agreement=overall(votes[labelled], of_pairs),
        cohen={key: _cohen(evidence, key, tables[key], labelled, of_pairs) for key in met},
        between={key: tables[key].tolist() for key in met},
        splits=splits(votes),
        ceiling=scored(others, choices, of_labels),
    )


def _cohen(
    evidence: Evidence,
    key: tuple[int, int],
    table: Integers,
    labelled: npt.NDArray[np.bool_],
    bootstrap: PromptBootstrap,
) -> Measure:
    undefined, n = why_undefined("cohen_kappa"), int(np.sum(table))
    if n == 0 or len(evidence.annotators) > PEOPLE_WITH_INTERVALS:
        return measured(cohen_kappa(table), undefined=undefined, n=n)
    said = np.full((2, evidence.n_pairs), ABSENT)
    for row, rater in enumerate(key):
        own = evidence.label_raters == rater
        said[row, evidence.label_pairs[own]] = evidence.label_choices[own]
    codes = np.where((said != ABSENT).all(axis=0), said[0] * 3 + said[1], -1)
    drawn = cohen_kappa(bootstrap.counts(codes[labelled], 9).reshape(-1, 3, 3))
    return measured(cohen_kappa(table), resampled=drawn, undefined=undefined, n=n)
