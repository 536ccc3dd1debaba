"""What each label of a run weighs for a judge that learns it: by how often labels of its stratum were found right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg.sql import SQL

from judging.audits.files import snapshot
from judging.audits.strata import cells_of, code_of, population_query
from judging.models import Audit, AuditItem


class NoWeightsError(Exception):
    """The audit gives no weights; the text says why and what to do."""


@dataclass(frozen=True)
class LabelWeights:
    """of_pair: by the pair's primary key. audited: pairs whose label was found right, or corrected; those weigh
    `audited_weight`. other: what a label weighs that was not there when the audit was drawn. The mean is 1 over the
    labels that were. strata: as in judging.audits.snapshot, for a card.
    """

    of_pair: Mapping[int, float]
    audited: frozenset[int]
    audited_weight: float
    other: float
    overall: float
    strata: list[dict[str, Any]]

    def of(self, pair: int, *, corrected: bool) -> float:
        """corrected: what the audit found is applied, so that an audited label is as good as right."""
        if corrected and pair in self.audited:
            return self.audited_weight
        return self.of_pair.get(pair, self.other)


def label_weights(audit: Audit) -> LabelWeights:
    """Weights as of now, for every label of the audit's run. Raises NoWeightsError."""
    if not audit.is_sample or not audit.is_drawn:
        raise NoWeightsError(f"{audit} is no random sample: it says nothing of the labels that nobody looked at.")
    told = snapshot(audit)["weights"]
    if told is None:
        raise NoWeightsError(f"Nothing is decided in {audit} yet: audit some of its labels first.")
    if told["audited_weight"] is None:
        raise NoWeightsError(f"{audit} found no label right: such labels are not worth learning.")
    decided = AuditItem.objects.filter(audit=audit, outcome__in=[AuditItem.Outcome.RIGHT, AuditItem.Outcome.WRONG])
    by_cells = {_key(each["cells"]): float(each["weight"]) for each in told["strata"]}
    other = float(told["overall"] * told["audited_weight"])
    cuts = audit.recipe["strata"]
    by_code: dict[int, float] = {}
    of_pair = {}
    for pair, code in _codes(audit, cuts):
        if code not in by_code:
            by_code[code] = by_cells.get(_key(cells_of(code, cuts)), other)
        of_pair[pair] = by_code[code]
    return LabelWeights(
        of_pair=of_pair,
        audited=frozenset(decided.values_list("pair", flat=True)),
        audited_weight=float(told["audited_weight"]),
        other=other,
        overall=float(told["overall"]),
        strata=told["strata"],
    )


def _codes(audit: Audit, cuts: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(pair, number of its stratum's classes) of every label."""
    labels = population_query(run_id=audit.run_id, seed=audit.seed, dimensions=list(cuts))
    with connection.cursor() as cursor:
        cursor.execute(SQL("SELECT pair_id, ({})::bigint FROM ({}) AS audit_population").format(code_of(cuts), labels))
        return cursor.fetchall()


def _key(cells: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(cells.items())
