"""Generators ranked by people and by each judge: what the ranking page of a dataset shows."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from django.utils import timezone

from annotation.agreement import Measure
from annotation.bootstrap import RESAMPLES, Integers, PromptBootstrap
from annotation.models import Dataset, Pair
from jobs.models import Job
from judging.models import JudgeRun
from judging.scores import scoring
from judging.scores.comparison import ABSENT, INVALID, decided, win_tie_loss
from judging.scores.evidence import Evidence, read_people, runs_evidence, runs_that_count
from judging.scores.keeping import content_of, kept
from judging.scores.leaderboard import AT_ONCE
from judging.scores.length_control import LengthControl, length_control, win_rate
from judging.scores.policies import Policy
from judging.scores.ratings import Rating, Ratings, ratings

PEOPLE = "People"


@dataclass(frozen=True)
class Ranked:
    """A generator as one rater has it. raw, controlled: win rates against the baseline, as said and at equal length.

    place is 1 for the best rated; None, as the ratings, where there are none. alike: not told apart from.
    """

    name: str
    place: int | None
    rating: Rating | None
    controlled_rating: Rating | None
    raw: Measure
    controlled: Measure
    alike: list[str]
    is_baseline: bool = False


@dataclass(frozen=True)
class Cell:
    """What a rater said of two generators, from the first one's view; query asks the review list for their pairs."""

    first: str
    second: str
    win: int
    loss: int
    tie: int
    query: str
    by: str

    @property
    def n(self) -> int:
        return self.win + self.loss + self.tie

    @property
    def percent(self) -> float:
        return 100 * (self.win + self.tie / 2) / self.n

    @property
    def outcomes(self) -> list[tuple[int, str, str]]:
        """(pairs, what else the review list is asked for, in words): win, loss, tie."""
        words = [(self.win, "1", f"{self.first} better"), (self.loss, "2", f"{self.second} better")]
        return [
            (count, f"{self.query}&winner={winner}{self.by}", said)
            for count, winner, said in [*words, (self.tie, "tie", "a tie")]
        ]


@dataclass(frozen=True)
class Rater:
    """People, or a judge by its run. n: pairs of two generators that it compared; invalid: without a valid verdict."""

    name: str
    run: JudgeRun | None
    n: int
    invalid: int
    ranked: list[Ranked]
    matrix: list[tuple[str, list[Cell | None]]]
    effect: Measure
    spread: float | None
    undefined: str = ""
    uncontrolled: str = ""

    @property
    def cells(self) -> list[Cell]:
        """Each two generators once."""
        return [cell for at, (_, row) in enumerate(self.matrix) for cell in row[at + 1 :] if cell]

    @property
    def strengths(self) -> dict[str, float]:
        return {each.name: each.rating.rating for each in self.ranked if each.rating}

    @property
    def unfinished(self) -> bool:
        return bool(self.run and self.run.job and self.run.job.state != Job.State.SUCCEEDED)


@dataclass(frozen=True)
class Agreed:
    """Kendall's tau-b of two raters' ratings over the n generators that both have rated; None for fewer than two."""

    one: str
    other: str
    tau: float | None
    n: int


@dataclass(frozen=True)
class Ranking:
    """characters: mean length of each generator's responses, over its pairs."""

    names: list[str]
    baseline: str
    characters: dict[str, float]
    raters: list[Rater]
    agreed: list[Agreed]
    n_pairs: int
    n_prompts: int
    resamples: int
    seed: int
    made_at: datetime = field(default_factory=timezone.now)

    @property
    def overview(self) -> list[tuple[str, float, list[Ranked]]]:
        """A line a generator: name, characters, and how each rater has it; the first rater's best first."""
        by_rater = [{each.name: each for each in rater.ranked} for rater in self.raters]
        order = [each.name for each in self.raters[0].ranked] if self.raters else self.names
        return [(name, self.characters[name], [ranked[name] for ranked in by_rater]) for name in order]


def ranking_of(*, dataset: Dataset, policy: Policy, baseline: str = "", wait: bool) -> Ranking | None:
    """The ranking, or None where it takes long to make and the caller would not wait; kept as the leaderboard is."""
    if not wait and _is_large(dataset):
        return None
    evidence = evidence_of(dataset)
    name = f"ranking:{dataset.pk}:{policy.name}:{baseline.encode().hex()}"
    return kept(name, content_of(evidence), lambda: rank(evidence, policy=policy, baseline=baseline))


def _is_large(dataset: Dataset) -> bool:
    """Every rater's view of the pairs is a ranking of its own."""
    raters = 1 + JudgeRun.objects.filter(dataset=dataset).values("judge").distinct().count()
    return raters * Pair.objects.filter(dataset=dataset)[: AT_ONCE + 1].count() > AT_ONCE


def evidence_of(dataset: Dataset) -> Evidence:
    """What people said, and the run that stands for each judge."""
    people = read_people(dataset)
    return replace(people, runs=runs_evidence(runs_that_count(dataset), people.pair_ids))


def rank(people: Evidence, *, policy: Policy, baseline: str = "", resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Rank the dataset's generators. A baseline that is none of them is the first by name."""
    names = people.generators
    baseline = baseline if baseline in names else next(iter(names), "")
    bootstrap = PromptBootstrap(people.prompts, resamples, seed)
    raters = []
    gold = scoring.gold_of(people, policy)
    if (gold != ABSENT).any():
        raters.append(_rater(PEOPLE, None, people, gold, policy, baseline, bootstrap))
    for one in people.runs:
        said = decided(one.passes, conflict=policy.conflict, invalid=policy.invalid)
        raters.append(_rater(one.run.judge.name, one.run, people, said, policy, baseline, bootstrap))
    return Ranking(
        names=names,
        baseline=baseline,
        characters=_characters(people),
        raters=raters,
        agreed=[_agreed(one, other) for one, other in combinations(raters, 2)],
        n_pairs=people.n_pairs,
        n_prompts=bootstrap.n_prompts,
        resamples=resamples,
        seed=seed,
    )


def _rater(
    name: str,
    run: JudgeRun | None,
    people: Evidence,
    said: Integers,
    policy: Policy,
    baseline: str,
    bootstrap: PromptBootstrap,
) -> Rater:
    # Whoever gives no choice prefers nobody: such a pair says nothing of its generators.
    choices = np.where(said == INVALID, ABSENT, said)
    pairs = {"first": people.first, "second": people.second, "choices": choices}
    size = len(people.generators)
    rated = ratings(**pairs, n_generators=size, bootstrap=bootstrap)
    control = length_control(**pairs, lengths=people.lengths, n_generators=size, bootstrap=bootstrap)
    wins, ties = win_tie_loss(**pairs, n_generators=size)
    named = (people.first >= 0) & (people.second >= 0) & (people.first != people.second)
    return Rater(
        name=name,
        run=run,
        n=int((named & (choices != ABSENT)).sum()),
        invalid=int((named & (said == INVALID)).sum()),
        ranked=_ranked(people.generators, pairs, baseline, rated, control, bootstrap),
        matrix=_matrix(people.generators, wins, ties, policy, run),
        effect=control.effect,
        spread=control.spread,
        undefined=rated.undefined,
        uncontrolled=control.undefined,
    )


def _ranked(
    names: list[str],
    pairs: dict[str, Integers],
    baseline: str,
    rated: Ratings,
    control: LengthControl,
    bootstrap: PromptBootstrap,
) -> list[Ranked]:
    """All generators, the best rated first; those without a rating last, by name."""
    against = names.index(baseline)
    order = sorted(range(len(names)), key=lambda i: -rated.by_generator[i].rating if i in rated.by_generator else 1e9)
    return [
        Ranked(
            name=names[i],
            place=place if i in rated.by_generator else None,
            rating=rated.by_generator.get(i),
            controlled_rating=control.rating(i),
            raw=win_rate(**pairs, generator=i, baseline=against, bootstrap=bootstrap),
            controlled=control.win_rate(i, against),
            alike=[names[b if a == i else a] for a, b in rated.alike if i in (a, b)],
            is_baseline=i == against,
        )
        for place, i in enumerate(order, 1)
    ]


def _matrix(
    names: list[str], wins: Integers, ties: Integers, policy: Policy, run: JudgeRun | None
) -> list[tuple[str, list[Cell | None]]]:
    """A row a generator: what it did against each; None for itself and for whom it never met."""

    def cell(i: int, j: int) -> Cell | None:
        if i == j or not wins[i, j] + wins[j, i] + ties[i, j]:
            return None
        asked = {"policy": policy.name, "generators": f"{names[i]}|{names[j]}"} | ({"run": run.pk} if run else {})
        return Cell(
            first=names[i],
            second=names[j],
            win=int(wins[i, j]),
            loss=int(wins[j, i]),
            tie=int(ties[i, j]),
            query=urlencode(asked),
            by="&winner_by=run" if run else "",
        )

    places = range(len(names))
    return [(names[i], [cell(i, j) for j in places]) for i in places]


def _characters(people: Evidence) -> dict[str, float]:
    size = len(people.generators)
    sides = np.concatenate([people.first, people.second])
    known = sides >= 0
    total = np.bincount(sides[known], people.lengths.reshape(-1)[known], size)
    counts = np.bincount(sides[known], minlength=size)
    return dict(zip(people.generators, (total / np.maximum(counts, 1)).tolist(), strict=True))


def _agreed(one: Rater, other: Rater) -> Agreed:
    both = sorted(one.strengths.keys() & other.strengths.keys())
    tau = kendall_tau([one.strengths[name] for name in both], [other.strengths[name] for name in both])
    return Agreed(one.name, other.name, tau, len(both))


def kendall_tau(one: npt.ArrayLike, other: npt.ArrayLike) -> float | None:
    """Kendall's tau-b (1945) of two lists of n numbers; None where one of them ranks nothing.

    Here, because scipy.stats, which has it too, takes seconds to load.
    """
    a, b = (np.sign(np.subtract.outer(each, each)) for each in (np.asarray(one), np.asarray(other)))
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale else None
