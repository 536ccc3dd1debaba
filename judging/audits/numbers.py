"""The numbers of an audit. What comes of a random sample is a rate of all labels; of suspicious ones it never is."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from annotation.agreement import cohen_kappa
from annotation.models import Choice
from judging.audits.estimates import Estimate, Interval, estimate, more_audits_until, stratum_intervals
from judging.audits.suspicion import SIGNALS
from judging.models import Audit, AuditItem

Outcome = AuditItem.Outcome
Row = tuple[int, int, int, str, int | None, str, list[dict[str, str]]]
# In the order of tables: rows and columns of the blind choice against the label.
CHOICES = (Choice.FIRST, Choice.SECOND, Choice.TIE)
RATES = {
    "right": ("Right", [Outcome.RIGHT]),
    "wrong": ("Wrong", [Outcome.WRONG]),
    "undecidable": ("Undecidable", [Outcome.UNDECIDABLE]),
    "broken": ("A response is broken", [Outcome.BROKEN]),
    "not_right": ("Not right, all three together", [Outcome.WRONG, Outcome.UNDECIDABLE, Outcome.BROKEN]),
}


@dataclass(frozen=True, slots=True)
class Rate:
    name: str
    words: str
    hits: int
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class StratumNumbers:
    """A stratum with how many of its audited labels are wrong, and Wilson's interval of that share."""

    number: int
    words: str
    population: int
    drawn: int
    audited: int
    wrong: int
    interval: Interval

    @property
    def share(self) -> float | None:
        return self.wrong / self.audited if self.audited else None


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that labels have, how many were audited, and how many of those are wrong."""

    name: str
    words: str
    n: int
    wrong: int

    @property
    def share(self) -> float | None:
        return self.wrong / self.n if self.n else None


class AuditNumbers:
    """All numbers of an audit, from one reading of its items (at most some tens of thousands)."""

    def __init__(self, audit: Audit):
        self.audit = audit
        self._items: list[Row] = list(
            AuditItem.objects.filter(audit=audit, state=AuditItem.State.DECIDED)
            .order_by()
            .values_list("stratum__number", "distilled", "blind_choice", "outcome", "right_choice", "cause", "signals")
        )
        self.drawn = AuditItem.objects.filter(audit=audit).count()

    @property
    def audited(self) -> int:
        return len(self._items)

    @property
    def left(self) -> int:
        return self.drawn - self.audited

    @cached_property
    def outcomes(self) -> list[Counted]:
        counts = Counter(outcome for *_, outcome, _right, _cause, _signals in self._items)
        return [Counted(each.value, each.label, counts[each], 0) for each in Outcome]

    @cached_property
    def strata(self) -> list[StratumNumbers]:
        strata = list(self.audit.strata.all())
        audited, wrong = self._by_stratum([Outcome.WRONG])
        population = [each.population for each in strata]
        intervals = stratum_intervals(population, audited, wrong)
        return [
            StratumNumbers(each.number, str(each), each.population, each.drawn, n, hits, interval)
            for each, n, hits, interval in zip(strata, audited, wrong, intervals, strict=True)
        ]

    @cached_property
    def rates(self) -> list[Rate]:
        """Of a sample: each outcome as a share of all labels of the run."""
        if not self.audit.is_sample:
            return []
        population = [each.population for each in self.strata]
        rates = []
        for name, (words, outcomes) in RATES.items():
            audited, hits = self._by_stratum(outcomes)
            rates.append(Rate(name, words, sum(hits), estimate(population, audited, hits)))
        return rates

    @property
    def error_rate(self) -> Rate | None:
        return next((rate for rate in self.rates if rate.name == Outcome.WRONG), None)

    def more_until(self, width: float) -> int | None:
        """Audits until the error rate's interval is narrower than `width`."""
        strata = self.strata
        return more_audits_until(
            width,
            population=[each.population for each in strata],
            audited=[each.audited for each in strata],
            hits=[each.wrong for each in strata],
            drawn=[each.drawn for each in strata],
        )

    @cached_property
    def blind(self) -> list[tuple[Choice, list[tuple[Choice, int]]]]:
        """Blind choice in rows against the label in columns."""
        counts = Counter((blind, distilled) for _, distilled, blind, *_ in self._items)
        return [(row, [(column, counts[row, column]) for column in CHOICES]) for row in CHOICES]

    @property
    def blind_agreed(self) -> int:
        return sum(n for row, cells in self.blind for column, n in cells if row == column)

    @cached_property
    def blind_agreement(self) -> Estimate | None:
        """The share of all labels that the blind choice agrees with; of a sample only."""
        if not self.audit.is_sample:
            return None
        agreed = Counter(stratum for stratum, distilled, blind, *_ in self._items if distilled == blind)
        population = [each.population for each in self.strata]
        audited, _ = self._by_stratum([])
        return estimate(population, audited, [agreed[each.number] for each in self.strata])

    @cached_property
    def blind_kappa(self) -> float | None:
        if not self._items:
            return None
        kappa = float(cohen_kappa([[n for _, n in cells] for _, cells in self.blind]))
        return None if kappa != kappa else kappa

    @cached_property
    def causes(self) -> list[Counted]:
        counts = Counter(cause for *_, cause, _signals in self._items if cause)
        wrong = Counter(item[5] for item in self._items if item[3] == Outcome.WRONG)
        found = [Counted(each.value, each.label, counts[each], wrong[each]) for each in AuditItem.Cause if counts[each]]
        return sorted(found, key=lambda each: -each.n)

    @cached_property
    def signals(self) -> list[Counted]:
        """Of suspicious labels: how many of those with each sign turned out wrong."""
        seen: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for *_, outcome, _right, _cause, signals in self._items:
            for kind in {each["kind"] for each in signals}:
                seen[kind] += 1
                wrong[kind] += outcome == Outcome.WRONG
        asked = self.audit.recipe.get("signals", {})
        return [Counted(name, SIGNALS[name].title, seen[name], wrong[name]) for name in asked if name in SIGNALS]

    def _by_stratum(self, outcomes: list[Outcome]) -> tuple[list[int], list[int]]:
        audited = Counter(item[0] for item in self._items)
        hits = Counter(item[0] for item in self._items if item[3] in outcomes)
        numbers = [each.number for each in self.audit.strata.all()]
        return [audited[number] for number in numbers], [hits[number] for number in numbers]
