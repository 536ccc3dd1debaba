"""Drawing the labels of an audit: by chance from strata, or the most suspicious ones.

All in the database and in one transaction: 2,000 of 300,000 labels take about a second (docs/benchmarks.md).
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.sql import SQL, Composable, Literal

from judging.audits.estimates import allocate
from judging.audits.strata import DIMENSIONS, cells_of, code_of, population_query
from judging.audits.suspicion import Suspect, Tell, rank_suspects
from judging.models import Audit, AuditItem, AuditStratum, JudgeRun, Verdict

MOST_STRATA = 500
NO_LABELS = (
    "This run has no valid verdict in the given order, so there is no label to audit. "
    "Choose another run, or wait until this one has judged something."
)

# Inside a stratum by chance. Between strata evenly, so that whoever stops early has audited some of each.
_INSERT = """
INSERT INTO judging_audititem (audit_id, verdict_id, pair_id, stratum_id, position, swapped, distilled, signals, state,
                               outcome, cause, note, history)
SELECT {audit}, id, pair_id, stratum_id, row_number() OVER (ORDER BY (place - .5) / drawn, draw, pair_id),
       get_byte(uuid_send(draw), 15) % 2 = 1, choice, '[]', 'free', '', '', '', '[]'
  FROM (SELECT id, pair_id, choice, draw, code, row_number() OVER (PARTITION BY code ORDER BY draw, pair_id) AS place
          FROM {coded}) AS placed
  JOIN unnest({codes}::bigint[], {strata}::bigint[], {drawn}::int[]) AS stratum (code, stratum_id, drawn) USING (code)
 WHERE place <= drawn
"""


class DrawError(Exception):
    """Nothing was drawn; the text says why and what to do."""


def draw_sample(*, audit: Audit, dimensions: Sequence[str], proportional: bool, minimum: int) -> None:
    """Give the audit a stratified random sample of its run's labels: the same seed on the same data, the same labels.

    dimensions: names of strata.DIMENSIONS; none is simple random sampling. Raises DrawError.
    """
    run = audit.run
    with transaction.atomic(), connection.cursor() as cursor:
        cuts = _stage(cursor, run=run, seed=audit.seed, dimensions=dimensions)
        coded = SQL("(SELECT *, ({})::bigint AS code FROM audit_population) AS coded").format(code_of(cuts))
        cursor.execute(SQL("SELECT code, count(*) FROM {} GROUP BY code ORDER BY code").format(coded))
        parts: list[tuple[int, int]] = cursor.fetchall()
        drawn = _allocated(parts, size=audit.size, minimum=minimum, proportional=proportional)
        recipe = {
            "strata": cuts,
            "allocation": "proportional" if proportional else "equal",
            "minimum": minimum,
            "population": sum(population for _, population in parts),
            "without_label": Verdict.objects.filter(run=run, swapped=False, choice=None).count(),
        }
        _note_drawn(audit, recipe)
        strata = AuditStratum.objects.bulk_create(
            AuditStratum(audit=audit, number=number, cells=cells_of(code, cuts), population=population, drawn=n)
            for number, ((code, population), n) in enumerate(zip(parts, drawn, strict=True), start=1)
        )
        _insert(cursor, audit, coded, [code for code, _ in parts], strata)


def draw_suspicious(
    *, audit: Audit, signals: Sequence[str], probabilities: JudgeRun | None, tell: Tell | None = None
) -> None:
    """Give the audit the labels that most speaks against, worst first. It finds errors; that is no error rate.

    signals: names of suspicion.SIGNALS; `probabilities`: the run for the confident-learning score; `tell`: as of
    suspicion.rank_suspects. Raises DrawError.
    """
    run = audit.run
    with transaction.atomic():
        if not Verdict.objects.filter(run=run, swapped=False, choice__isnull=False).exists():
            raise DrawError(NO_LABELS)
        suspects, recipe = rank_suspects(run=run, signals=signals, probabilities=probabilities, tell=tell)
        if not suspects:
            raise DrawError(
                "Nothing speaks against any label of this run: choose more signs, or draw a sample instead."
            )
        _note_drawn(audit, recipe | {"suspicious": len(suspects)})
        chosen = suspects[: audit.size]
        stratum = AuditStratum.objects.create(
            audit=audit, number=1, cells={}, population=len(suspects), drawn=len(chosen)
        )
        _insert_suspects(audit, stratum, chosen)


def _note_drawn(audit: Audit, recipe: dict[str, Any]) -> None:
    audit.recipe, audit.asked = recipe, None
    audit.save(update_fields=["recipe", "asked"])


def _stage(cursor: CursorWrapper, *, run: JudgeRun, seed: int, dimensions: Sequence[str]) -> dict[str, Any]:
    """Make the temporary table audit_population. Returns the cut points by dimension, of which a code is made."""
    cursor.execute("SET LOCAL work_mem = '128MB'")
    cursor.execute("DROP TABLE IF EXISTS audit_population")
    query = population_query(run_id=run.pk, seed=seed, dimensions=dimensions)
    cursor.execute(SQL("CREATE TEMPORARY TABLE audit_population ON COMMIT DROP AS {}").format(query))
    if not cursor.rowcount:
        raise DrawError(NO_LABELS)
    return {name: DIMENSIONS[name].cuts(cursor) for name in dimensions}


def _allocated(parts: Sequence[tuple[int, int]], *, size: int, minimum: int, proportional: bool) -> list[int]:
    if len(parts) > MOST_STRATA:
        raise DrawError(f"That makes {len(parts):,} strata, more than the {MOST_STRATA} that can be: divide by less.")
    try:
        return allocate([n for _, n in parts], size=size, minimum=minimum, proportional=proportional)
    except ValueError as error:
        raise DrawError(f"{error}. Ask for more labels, a smaller minimum, or divide by less.") from error


def _insert(
    cursor: CursorWrapper, audit: Audit, coded: Composable, codes: list[int], strata: list[AuditStratum]
) -> None:
    cursor.execute(
        SQL(_INSERT).format(
            audit=Literal(audit.pk),
            coded=coded,
            codes=Literal(codes),
            strata=Literal([each.pk for each in strata]),
            drawn=Literal([each.drawn for each in strata]),
        )
    )


def _insert_suspects(audit: Audit, stratum: AuditStratum, suspects: Sequence[Suspect]) -> None:
    AuditItem.objects.bulk_create(
        AuditItem(
            audit=audit,
            verdict_id=suspect.verdict_id,
            pair_id=suspect.pair_id,
            stratum=stratum,
            position=position,
            swapped=suspect.pair_id * 2_654_435_761 % 2**32 >= 2**31,
            distilled=suspect.choice,
            signals=suspect.signals,
        )
        for position, suspect in enumerate(suspects, start=1)
    )
