"""Verdicts from files and into files: the judges that gave them, a run for each, and what they may not contradict.

A judge is found by its name, whatever its backend, so that verdicts exported elsewhere keep their judge. The verdicts
themselves go into a run without a job, which is how an imported run is told from one that was judged here.
"""

from typing import Any

import orjson
from django.db import connection

from annotation.exporting.reading import rows, written
from annotation.importing.problems import Problems
from annotation.importing.telling import tell
from annotation.models import Dataset, User
from jobs.models import Job
from judging.models import Audit, AuditItem, Judge, JudgeRun, Verdict
from judging.runs.crews import helpers_at
from judging.runs.starting import frozen_settings

# ruff: noqa: S608 - the queries below are put together from these names alone.
_FIELDS = (
    "choice", "status", "p_1", "p_2", "p_tie", "reason", "reference", "raw", "prompt_tokens", "answer_tokens",
    "seconds", "cost", "altered",
)  # fmt: skip


def _row(table: str) -> str:
    return "(" + ", ".join(f"{table}.{name}" for name in _FIELDS) + ")"


_TWICE = f"""
    SELECT line, first_line, judge FROM (
        SELECT v.line, v.judge, {_row("v")} AS said, first_value({_row("v")}) OVER same AS first_said,
               first_value(v.line) OVER same AS first_line
          FROM staged_verdict v
          JOIN (SELECT external_id, judge, swapped FROM staged_verdict
                 GROUP BY external_id, judge, swapped HAVING count(*) > 1) twice USING (external_id, judge, swapped)
        WINDOW same AS (PARTITION BY v.external_id, v.judge, v.swapped ORDER BY v.line)) each
     WHERE said IS DISTINCT FROM first_said
"""
# The newest verdict of a judge on a pair in an order is the one that an export gives and an import is compared with.
_KNOWN = """
    CREATE TEMPORARY TABLE known_verdict ON COMMIT DROP AS
    SELECT DISTINCT ON (v.pair_id, judge.name, v.swapped)
           v.id, v.pair_id, pair.external_id, judge.name AS judge, v.swapped, run.job_id, v.run_id
      FROM judging_verdict v
      JOIN judging_judgerun run ON run.id = v.run_id AND run.dataset_id = %(dataset)s
      JOIN judging_judge judge ON judge.id = run.judge_id AND judge.name = ANY(%(judges)s)
      JOIN annotation_pair pair ON pair.id = v.pair_id
     ORDER BY v.pair_id, judge.name, v.swapped, v.run_id DESC
"""
_CHANGED = f"""
    SELECT s.line, s.judge, known.job_id, known.run_id
      FROM staged_verdict s
      JOIN known_verdict known USING (external_id, judge, swapped)
      JOIN judging_verdict v ON v.id = known.id
     WHERE {_row("s")} IS DISTINCT FROM {_row("v")}
"""
_INSERT = f"""
    INSERT INTO judging_verdict (run_id, pair_id, swapped, {", ".join(_FIELDS)}, created_at)
    SELECT run.id, pair.id, s.swapped, {", ".join(f"s.{name}" for name in _FIELDS)}, COALESCE(s.at, now())
      FROM staged_verdict s
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = s.external_id
      JOIN unnest(%(judges)s::text[], %(runs)s::bigint[]) AS run(judge, id) ON run.judge = s.judge
     WHERE NOT EXISTS (SELECT FROM known_verdict known
                        WHERE known.pair_id = pair.id AND known.judge = s.judge AND known.swapped = s.swapped)
        ON CONFLICT (run_id, pair_id, swapped) DO NOTHING
"""
_KEEP_REVISIONS = f"""
    INSERT INTO judging_verdictrevision (verdict_id, {", ".join(_FIELDS)}, decided_at, replaced_at)
    SELECT DISTINCT ON (v.id) v.id, {", ".join(f"v.{name}" for name in _FIELDS)}, v.created_at, now()
      FROM staged_verdict s
      JOIN known_verdict known USING (external_id, judge, swapped)
      JOIN judging_verdict v ON v.id = known.id
     WHERE {_row("s")} IS DISTINCT FROM {_row("v")}
     ORDER BY v.id
"""
_REPLACE = f"""
    UPDATE judging_verdict v
       SET {", ".join(f"{name} = s.{name}" for name in _FIELDS)}, created_at = COALESCE(s.at, now())
      FROM staged_verdict s JOIN known_verdict known USING (external_id, judge, swapped)
     WHERE v.id = known.id AND {_row("s")} IS DISTINCT FROM {_row("v")}
"""
_REST = ("reason", "reference", "raw", "prompt_tokens", "answer_tokens", "seconds", "cost", "at")
_NEWEST = """
    SELECT DISTINCT ON (v.pair_id, judge.name, v.swapped)
           v.pair_id, judge.name, v.swapped, v.choice, v.status, v.p_1, v.p_2, v.p_tie, v.reason, v.reference, v.raw,
           v.prompt_tokens, v.answer_tokens, v.seconds, v.cost::double precision, v.created_at,
           v.altered::text
      FROM judging_verdict v
      JOIN judging_judgerun run ON run.id = v.run_id AND run.dataset_id = %s
      JOIN judging_judge judge ON judge.id = run.judge_id
     WHERE v.pair_id = ANY(%s)
     ORDER BY v.pair_id, judge.name, v.swapped, v.run_id DESC
"""
# Asked run by run, in its index: whether it has verdicts in an order at all.
_COLUMNS = """
    SELECT DISTINCT judge.name, way.swapped
      FROM judging_judgerun run
      JOIN judging_judge judge ON judge.id = run.judge_id
     CROSS JOIN (VALUES (false), (true)) way(swapped)
     WHERE run.dataset_id = %s AND CASE WHEN way.swapped
           THEN EXISTS (SELECT FROM judging_verdict v WHERE v.run_id = run.id AND v.swapped)
           ELSE EXISTS (SELECT FROM judging_verdict v WHERE v.run_id = run.id AND NOT v.swapped) END
     ORDER BY judge.name, way.swapped
"""
_COUNT = "SELECT count(*) FROM (SELECT DISTINCT external_id, judge, swapped FROM staged_verdict) each"


class Verdicts:
    """The store that annotation.importing and annotation.exporting use."""

    def check(self, *, dataset_id: int | None, replace: bool, problems: Problems) -> None:
        tell(_TWICE, {}, problems, _say_twice)
        if dataset_id is None or not self._find_known(dataset_id):
            return
        changed = _CHANGED + (" AND known.job_id IS NOT NULL" if replace else "")
        tell(changed, {}, problems, _say_changed)

    def store(self, *, dataset: Dataset, replace: bool, created_by: User | None) -> dict[str, int]:
        runs = self._runs(dataset, created_by)
        known = self._find_known(dataset.pk)
        values = {"dataset": dataset.pk, "judges": list(runs), "runs": [run.pk for run in runs.values()]}
        with connection.cursor() as cursor:
            cursor.execute(_COUNT)
            total = cursor.fetchone()[0]
            changed = 0
            if replace and known:
                cursor.execute(_KEEP_REVISIONS)
                cursor.execute(_REPLACE)
                changed = cursor.rowcount
            cursor.execute(_INSERT, values)
            new = cursor.rowcount
        return {"new": new, "known": total - new - changed, "changed": changed}

    def verdicts_of(self, *, dataset: Dataset, pair_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
        found: dict[int, list[dict[str, Any]]] = {}
        for pair, *verdict in rows(_NEWEST, [dataset.pk, pair_ids]):
            found.setdefault(pair, []).append(_told(*verdict))
        return found

    def columns_of(self, *, dataset: Dataset) -> list[tuple[str, bool]]:
        with connection.cursor() as cursor:
            cursor.execute(_COLUMNS, [dataset.pk])
            return cursor.fetchall()

    def count(self, *, dataset: Dataset) -> int:
        return Verdict.objects.filter(run__dataset=dataset).count()

    def count_audited(self, *, dataset: Dataset) -> int:
        return AuditItem.objects.filter(pair__dataset=dataset, state=AuditItem.State.DECIDED).count()

    def is_judging(self, *, dataset: Dataset) -> bool:
        works = any(
            work.objects.filter(dataset=dataset, job__state__in=Job.LIVE).exists() for work in (JudgeRun, Audit)
        )
        return works or helpers_at(dataset).live().exists()

    def _find_known(self, dataset_id: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS known_verdict")
            cursor.execute(_KNOWN, {"dataset": dataset_id, "judges": _staged_judges()})
            known = cursor.rowcount
            cursor.execute("ANALYZE known_verdict")
        return known

    def _runs(self, dataset: Dataset, created_by: User | None) -> dict[str, JudgeRun]:
        """The imported run of each staged judge, by the judge's name; made where there is none."""
        return {name: _imported_run(name, dataset, created_by) for name in _staged_judges()}


def _staged_judges() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT judge FROM staged_verdict ORDER BY judge")
        return [name for (name,) in cursor.fetchall()]


def _imported_run(name: str, dataset: Dataset, created_by: User | None) -> JudgeRun:
    judge, _ = Judge.objects.get_or_create(
        name=name, defaults={"backend": Judge.Backend.IMPORTED, "created_by": created_by}
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_or(swapped) FROM staged_verdict WHERE judge = %s", [name])
        order = JudgeRun.Order.BOTH if cursor.fetchone()[0] else JudgeRun.Order.GIVEN
    run = JudgeRun.objects.filter(judge=judge, dataset=dataset, job=None).order_by("-pk").first()
    if run is None:
        return JudgeRun.objects.create(
            judge=judge, dataset=dataset, order=order, frozen=frozen_settings(judge), created_by=created_by
        )
    if order == JudgeRun.Order.BOTH and run.order != order:
        run.order = order
        run.save(update_fields=["order"])
    return run


def _told(
    judge: str,
    swapped: bool,
    choice: int | None,
    status: str,
    p_1: float | None,
    p_2: float | None,
    p_tie: float | None,
    *rest: Any,
) -> dict[str, Any]:
    """As docs/formats.md writes it; what is not known is left out. `rest` are the values of _REST, and `altered`."""
    *rest, altered = rest
    told = {"judge": judge, "swapped": swapped, "choice": written(choice), "status": status}
    told |= {name: value for name, value in zip(_REST, rest, strict=True) if value not in (None, "")}
    if p_1 is not None:
        told["probabilities"] = {"1": p_1, "2": p_2, "tie": p_tie}
    if altered:
        told["altered"] = orjson.loads(altered)
    return told


def _say_twice(first_line: int, judge: str) -> tuple[str, str, str]:
    message = f"Line {first_line} has another verdict of {judge} on the same pair in the same order. Keep one of them."
    return "verdicts", message, judge


def _say_changed(judge: str, job_id: int | None, run_id: int) -> tuple[str, str, str]:
    if job_id is not None:
        message = (
            f"Run {run_id} of {judge}, judged here, has another verdict on this pair. "
            "What a judge said is not replaced by a file: import these under another judge's name."
        )
    else:
        message = (
            f"{judge} has another verdict on this pair already. Import with Replace (--replace) to take this one in "
            "its place, or under another judge's name to keep both."
        )
    return "verdicts", message, judge
