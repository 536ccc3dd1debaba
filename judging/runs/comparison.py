"""Two runs over the same pairs: where the one says something else than the other, and which is right more often."""

from dataclasses import dataclass
from urllib.parse import urlencode

from annotation.bootstrap import PromptBootstrap
from judging.models import JudgeRun
from judging.scores.comparison import ABSENT, INVALID, Paired, decided, paired
from judging.scores.evidence import read_people, run_evidence
from judging.scores.policies import Policy
from judging.scores.scoring import gold_of

# In the order in which people read them.
SAID = {1: "1", 0: "tie", 2: "2", INVALID: "invalid"}


@dataclass(frozen=True)
class Cell:
    """n pairs, of which the review list that query asks for is made; none where it cannot be asked for."""

    said: str
    n: int
    same: bool
    query: str


@dataclass(frozen=True)
class RunComparison:
    """rows: what the first run says, with what the second says of these pairs. n: pairs that both decided."""

    n: int
    changed: int
    rows: list[tuple[str, list[Cell]]]
    paired: Paired


def others_of(run: JudgeRun) -> list[JudgeRun]:
    """Runs over the same dataset, the latest first."""
    return list(
        JudgeRun.objects.filter(dataset=run.dataset_id).exclude(pk=run.pk).select_related("judge").order_by("-pk")
    )


def compare(*, run: JudgeRun, other: JudgeRun, policy: Policy) -> RunComparison:
    people = read_people(run.dataset)
    said = [
        decided(run_evidence(one, people.pair_ids).passes, conflict=policy.conflict, invalid=policy.invalid)
        for one in (run, other)
    ]
    both = (said[0] != ABSENT) & (said[1] != ABSENT)
    rows = [
        (
            words,
            [
                Cell(
                    there,
                    int((both & (said[0] == first) & (said[1] == second)).sum()),
                    first == second,
                    _query(run, other, policy, words, there),
                )
                for second, there in SAID.items()
            ],
        )
        for first, words in SAID.items()
    ]
    return RunComparison(
        n=int(both.sum()),
        changed=int((both & (said[0] != said[1])).sum()),
        rows=rows,
        paired=paired(gold_of(people, policy), *said, PromptBootstrap(people.prompts)),
    )


def _query(run: JudgeRun, other: JudgeRun, policy: Policy, first: str, second: str) -> str:
    """The list knows no pairs by what is invalid in the second run."""
    if second == SAID[INVALID]:
        return ""
    asked = {"run": run.pk, "other": other.pk, "verdict": first, "verdict2": second, "policy": policy.name}
    return urlencode(asked)
