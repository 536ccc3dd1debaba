"""What the leaderboard shows: scores arranged in rows, and what must be said beside them."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.utils import timezone

from annotation.agreement import Measure
from annotation.bootstrap import RESAMPLES
from annotation.models import Dataset, Pair
from jobs.models import Job
from judging import charts
from judging.models import JudgeRun
from judging.runs.state import is_paused
from judging.scores.altest import EPSILON
from judging.scores.beside import Beside, beside
from judging.scores.comparison import INVALID
from judging.scores.evidence import read
from judging.scores.keeping import content_of, kept
from judging.scores.policies import Policy
from judging.scores.scoring import BASELINE, Comparison, Generators, JudgeScore, Scores, score

# More pairs than this are scored in a request of their own, while the page already stands and says so.
AT_ONCE = 20_000
MEASURES = ["accuracy", "precision_macro", "recall_macro", "f1_macro", "kappa"]
WEIGHTED = ["precision_weighted", "recall_weighted", "f1_weighted"]


@dataclass(frozen=True)
class Quoted:
    """A row of Table 2 of the PandaLM paper (arXiv 2306.05087)."""

    name: str
    accuracy: str
    precision: str
    recall: str
    f1: str


PAPER = [
    Quoted("PandaLM-7B", ".5926", ".5728", ".5923", ".5456"),
    Quoted("GPT-3.5", ".6296", ".6195", ".6359", ".5820"),
    Quoted("GPT-4", ".6647", ".6620", ".6815", ".6180"),
]
PAPER_GENERATORS = frozenset({"bloom-7b", "cerebras-gpt-6.7B", "llama-7b", "opt-7b", "pythia-6.9b"})
PAPER_PAIRS = 999


@dataclass(frozen=True)
class Row:
    """A judge, a baseline or people. alike: judges not told apart from it. unbeaten: baselines that it doesn't beat."""

    name: str
    kind: str
    measures: dict[str, Measure]
    n: int
    invalid: int = 0
    judge: JudgeScore | None = None
    alike: list[str] = field(default_factory=list)
    unbeaten: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[tuple[Measure, int]]:
        """The measures of the main columns, each with its number of digits."""
        digits = {"kappa": 3}
        return [(self.measures[name], digits.get(name, 4)) for name in MEASURES]

    @property
    def weighted(self) -> list[tuple[Measure, int]]:
        """Precision, recall and F1 weighted by how often gold is each choice, for who asks for them."""
        return [(self.measures[name], 4) for name in WEIGHTED]

    @property
    def run(self) -> JudgeRun | None:
        return self.judge.run if self.judge else None

    @property
    def unfinished(self) -> str:
        """What keeps a run from being whole, in words: its numbers are of the pairs that it has judged so far."""
        job = self.run.job if self.run else None
        if job is None or job.state == Job.State.SUCCEEDED:
            return ""
        ended = "paused" if is_paused(job) else job.get_state_display().lower()
        return "still judging" if job.is_live else f"{ended} before its end"


@dataclass(frozen=True)
class Cell:
    count: int
    gold: str
    verdict: str
    right: bool


@dataclass(frozen=True)
class Met:
    """Two generators whose responses gold compares, from the first one's view."""

    first: str
    second: str
    win: int
    loss: int
    tie: int
    policy: Policy

    @property
    def query(self) -> str:
        """What the review list is asked for their pairs."""
        return urlencode({"policy": self.policy.name, "generators": f"{self.first}|{self.second}"})

    @property
    def outcomes(self) -> list[tuple[int, str, str]]:
        """(pairs, winner as the review list calls it, in words): win, loss, tie."""
        return [
            (self.win, "1", f"{self.first} better"),
            (self.loss, "2", f"{self.second} better"),
            (self.tie, "tie", "a tie"),
        ]


@dataclass(frozen=True)
class Leaderboard:
    scores: Scores
    rows: list[Row]
    quoted: list[Quoted]
    made_at: datetime
    content: str = ""
    """A name for the rows and the policy that it was made of."""

    @property
    def confusions(self) -> list[tuple[Row, list[tuple[str, list[Cell]]]]]:
        return [(row, _confusion_cells(row.judge)) for row in self.rows if row.judge]

    @property
    def calibrated(self) -> list[JudgeScore]:
        return [judge for judge in self.scores.judges if judge.reliability]

    @property
    def reliability_figure(self) -> charts.Figure:
        return charts.reliability_diagram([(judge.name, judge.reliability) for judge in self.calibrated])

    @property
    def accuracy_figure(self) -> charts.Figure:
        kinds = {BASELINE: "baseline", "people": "people"}
        return charts.accuracy_chart(
            [
                (
                    row.name,
                    row.measures["accuracy"].value,
                    row.measures["accuracy"].interval,
                    kinds.get(row.kind, "judge"),
                )
                for row in self.rows
                if row.measures["accuracy"].value is not None
            ]
        )

    @property
    def win_figure(self) -> charts.Figure:
        generators = self.scores.generators
        return charts.win_matrix(generators.names, generators.wins, generators.ties)

    @property
    def wins(self) -> list[Met]:
        """Each two generators that met."""
        g = self.scores.generators
        return [
            Met(g.names[i], g.names[j], g.wins[i][j], g.wins[j][i], g.ties[i][j], self.scores.policy)
            for i in range(len(g.names))
            for j in range(i + 1, len(g.names))
            if g.wins[i][j] + g.wins[j][i] + g.ties[i][j]
        ]

    @property
    def ratings(self) -> list[tuple[str, object, list[str]]]:
        """(generator, rating, generators that it can't be told apart from), the best first."""
        return _ratings(self.scores.generators)

    @property
    def comparisons(self) -> list[tuple[Comparison, JudgeRun | None, JudgeRun | None]]:
        runs = {judge.name: judge.run for judge in self.scores.judges}
        return [(comparison, runs[comparison.a], runs[comparison.b]) for comparison in self.scores.comparisons]


def leaderboard_of(*, dataset: Dataset, policy: Policy, wait: bool) -> Leaderboard | None:
    """The leaderboard, or None where it takes long to make and the caller would not wait.

    The rows are read each time; what was made of just these is kept.
    """
    if not wait and has_many(dataset):
        return None
    evidence = read(dataset)
    content = f"{content_of(evidence)} {policy.name}"

    def make() -> Leaderboard:
        scores = score(evidence, policy=policy, epsilon=EPSILON, resamples=RESAMPLES, seed=0)
        return replace(arrange(scores), content=content)

    return kept(f"leaderboard:{dataset.pk}:{policy.name}", content, make)


def beside_of(*, dataset: Dataset, policy: Policy, other: Policy) -> Beside:
    """Both policies on the rows as they are now."""
    evidence = read(dataset)
    name = f"beside:{dataset.pk}:{policy.name}:{other.name}"
    return kept(name, content_of(evidence), lambda: beside(evidence, one=policy, other=other))


def fragment_of(board: Leaderboard, *, dataset: Dataset, weighted: bool) -> str:
    """The numbers as HTML in the time zone of the request: of twenty judges, writing takes as long as computing."""
    context = {"board": board, "dataset": dataset, "policy": board.scores.policy, "weighted": weighted}
    name = f"leaderboard-html:{dataset.pk}:{board.scores.policy.name}:{weighted}:{timezone.get_current_timezone_name()}"
    return kept(name, board.content, lambda: render_to_string("judging/_leaderboard.html", context))


def has_many(dataset: Dataset) -> bool:
    """There are more pairs than a person waits for."""
    return Pair.objects.filter(dataset=dataset)[AT_ONCE : AT_ONCE + 1].exists()


def arrange(scores: Scores) -> Leaderboard:
    rows = [_row(judge, scores) for judge in scores.judges]
    people = scores.humans.ceiling
    if people["accuracy"].value is not None:
        people = people | {"length_preference": scores.humans.length_preference}
        rows.append(Row("People", "people", people, people["accuracy"].n))
    rows.sort(key=lambda row: -(row.measures["accuracy"].value or 0))
    is_paper = scores.n_pairs == PAPER_PAIRS and set(scores.generators.names) == PAPER_GENERATORS
    return Leaderboard(scores, rows, PAPER if is_paper else [], timezone.now())


def _row(judge: JudgeScore, scores: Scores) -> Row:
    kinds = {one.name: one.kind for one in scores.judges}
    alike, unbeaten = [], []
    for comparison in scores.comparisons:
        if judge.name not in (comparison.a, comparison.b) or judge.kind == BASELINE:
            continue
        other = comparison.b if judge.name == comparison.a else comparison.a
        if kinds[other] == BASELINE:
            if not _beats(comparison, judge.name):
                unbeaten.append(other)
        elif not comparison.told_apart:
            alike.append(other)
    return Row(judge.name, judge.kind, judge.measures, judge.n, judge.invalid, judge, alike, unbeaten)


def _beats(comparison: Comparison, name: str) -> bool:
    """Right where the other is wrong more often than the other way round, and by more than chance explains."""
    lead = comparison.paired.only_a_right - comparison.paired.only_b_right
    ahead = lead > 0 if name == comparison.a else lead < 0
    return ahead and comparison.told_apart


CHOICES = ["tie", "1", "2"]


def _confusion_cells(judge: JudgeScore) -> list[tuple[str, list[Cell]]]:
    """Rows of gold with a cell for each verdict; the invalid column only where something stands in it."""
    columns = [*CHOICES, "invalid"] if any(row[INVALID] for row in judge.confusion) else CHOICES
    return [
        (gold, [Cell(row[index], gold, verdict, gold == verdict) for index, verdict in enumerate(columns)])
        for gold, row in zip(CHOICES, judge.confusion, strict=True)
    ]


def _ratings(generators: Generators) -> list[tuple[str, object, list[str]]]:
    names, found = generators.names, generators.ratings
    alike = {i: [names[b if a == i else a] for a, b in found.alike if i in (a, b)] for i in found.by_generator}
    best_first = sorted(found.by_generator.items(), key=lambda item: -item[1].rating)
    return [(names[i], rating, alike[i]) for i, rating in best_first]
