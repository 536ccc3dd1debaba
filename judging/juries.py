"""Several judges that decide together: a judge as any other, whose members' verdicts on a dataset are there already."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from annotation.agreement import cohen_kappa
from annotation.models import Choice, Dataset
from judging.backends.base import INVALID, OK, Answer, Capabilities, Question, Settings, no_answer
from judging.models import JudgeRun, Verdict
from judging.scores.comparison import confusion, decided
from judging.scores.evidence import read_people, run_evidence, runs_that_count
from judging.scores.policies import PRESETS
from judging.scores.scoring import gold_of

EQUAL = 1e-9
NOBODY = "No member has decided this pair in this order."


class JuryError(Exception):
    """The jury cannot sit on this dataset; the text says who is missing."""


class Jury:
    """Members vote in the order that is asked about. Whoever gave no choice there does not vote; equal votes are a tie.

    Probabilities are the shares of the votes, or, where they are averaged, the members' mean.
    """

    RULES = {
        "majority": "Majority: each member has a vote",
        "kappa": "Weighted: a vote weighs as much as its member's kappa with people, none below nought",
        "average": "Average: the mean of the members' probabilities; one without any is sure of its choice",
    }
    capabilities = Capabilities(probabilities=True, reasons=False, chunk=2000)
    identity: dict[str, object] = {}

    def __init__(self, settings: Settings):
        self.rule = settings.model
        self.runs = [int(run) for run in settings.facts["runs"]]  # type: ignore[attr-defined]
        self.weights = dict(zip(self.runs, settings.facts["weights"], strict=True))  # type: ignore[call-overload]

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer]:
        del reasons
        asked = {question.pair_id for question in questions}
        said: dict[tuple[int, bool], list[Verdict]] = defaultdict(list)
        for verdict in Verdict.objects.filter(run__in=self.runs, pair__in=asked, status=Verdict.Status.OK):
            said[verdict.pair_id, verdict.swapped].append(verdict)
        for question in questions:
            yield self._answer(question, said[question.pair_id, question.swapped])

    def explain(self, decided: Sequence[tuple[Question, int]]) -> Iterator[None]:
        raise NotImplementedError("A jury has no words of its own.")

    def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, question: Question, verdicts: list[Verdict]) -> Answer:
        votes = np.zeros(3)
        for verdict in verdicts:
            votes += self._vote(verdict)
        if votes.sum() <= 0:
            return no_answer(question, INVALID, NOBODY)
        p = votes / votes.sum()
        first, second = (2, 1) if question.swapped else (1, 2)
        choice = int(p.argmax()) if (p >= p.max() - EQUAL).sum() == 1 else 0
        shown = int(Choice(choice).swapped) if question.swapped else choice
        return Answer(
            question.pair_id,
            question.swapped,
            shown,
            OK,
            p_first=float(p[first]),
            p_second=float(p[second]),
            p_tie=float(p[0]),
            raw=", ".join(f"run {each.run_id}: {Choice(each.choice).label}" for each in verdicts),
        )

    def _vote(self, verdict: Verdict) -> np.ndarray:
        """(3,) over tie, 1, 2, in the pair's own terms."""
        if self.rule == "average" and verdict.p_1 is not None:
            return np.array([verdict.p_tie, verdict.p_1, verdict.p_2], dtype=np.float64)
        return np.eye(3)[verdict.choice] * self.weights[verdict.run_id]


def jury_facts(*, rule: str, members: Sequence[str], dataset: Dataset, order: str) -> dict[str, object]:
    """The runs that speak for the members, and what each vote weighs, both as they are now. Raises JuryError."""
    runs = {run.judge.name: run for run in runs_that_count(dataset)}
    missing = [name for name in members if name not in runs]
    if missing:
        raise JuryError(f"{_names(missing)} {_have(missing)} no verdicts on {dataset} yet. Run them first.")
    sitting = [runs[name] for name in members]
    if order == JudgeRun.Order.BOTH:
        single = [run.judge.name for run in sitting if not _has_both(run)]
        if single:
            raise JuryError(
                f"{_names(single)} {_have(single)} verdicts in the given order only: let the jury take that."
            )
    return {"runs": [run.pk for run in sitting], "weights": _weights(rule, sitting, dataset)}


def _weights(rule: str, runs: Sequence[JudgeRun], dataset: Dataset) -> list[float]:
    if rule != "kappa":
        return [1.0] * len(runs)
    people, policy = read_people(dataset), PRESETS["default"]
    gold = gold_of(people, policy)
    weights = []
    for run in runs:
        passes = run_evidence(run, people.pair_ids).passes
        table = confusion(gold, decided(passes, conflict=policy.conflict, invalid=policy.invalid))[:, :3]
        kappa = float(cohen_kappa(table))
        weights.append(max(kappa, 0.0) if kappa == kappa else 0.0)
    if not any(weights):
        raise JuryError("No member agrees with people more than chance would: nobody's vote would weigh anything.")
    return weights


def _has_both(run: JudgeRun) -> bool:
    return Verdict.objects.filter(run=run, swapped=True).exists()


def _names(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _have(names: Sequence[str]) -> str:
    return "have" if len(names) > 1 else "has"
