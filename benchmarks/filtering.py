"""What the funnel's filters cost: `python benchmarks/filtering.py [--pairs 300000] [--repeats 3]`.

Makes a PostgreSQL of its own with a run over so many pairs, in both orders with reasons, as benchmarks/audit.py, and
makes some of its labels what each filter looks for. Has the run filtered by its job, in this process, and counts the
funnel with all filters on. The marks of a known part are checked against how the data was made.

Prints JSON: seconds, medians; `filters_s` is each filter by itself. `calibration_ms` is a fixed Python loop: about 105
where the machine is free, more where others use it too.
"""

import argparse
import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.audit import FILL  # noqa: E402
from benchmarks.measuring import machine, own_database  # noqa: E402

LIMIT_S = 20.0

# One pair in a thousand of each kind; {n}: pairs. Those of FILL: one in 5,000 with an empty response, a seventh with an
# order conflict, and reasons that say response 1 is better, or of 7 in a hundred 2, whatever the label.
SPOIL = """
INSERT INTO annotation_generator (id, name) VALUES (1, 'copier');
UPDATE annotation_response SET text_hash = md5('a' || id / 2)::uuid, generator_id = 1 WHERE id % 2000 = 20;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT {n} + i, 1, i, 2 * i, 2 * i - 1, 'again ' || i, '{{}}' FROM generate_series(1000, {n}, 1000) i;
INSERT INTO judging_verdict (run_id, pair_id, swapped, choice, status, reason, reference, raw, created_at)
    SELECT 1, {n} + i, swapped, 1, 'ok', '', '', '', now()
      FROM generate_series(1000, {n}, 1000) i, (VALUES (false), (true)) AS pass (swapped);
UPDATE judging_verdict SET choice = NULL, status = 'invalid', raw = 'I like both.', p_1 = NULL, p_2 = NULL, p_tie = NULL
    WHERE run_id = 1 AND pair_id % 1000 = 30 AND NOT swapped;
UPDATE judging_verdict SET choice = NULL, status = 'refused', raw = 'I cannot.', p_1 = NULL, p_2 = NULL, p_tie = NULL
    WHERE run_id = 1 AND pair_id % 1000 = 40 AND NOT swapped;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with own_database():
        print(json.dumps(_measure(given.pairs, given.repeats), indent=2), flush=True)


def _measure(pairs: int, repeats: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from judging.filtering import FILTERS, funnel_of
    from judging.models import JudgeRun, Verdict

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(n=pairs))
        cursor.execute(SPOIL.format(n=pairs))
        cursor.execute("VACUUM ANALYZE")
    run = JudgeRun.objects.get(pk=1)
    jobs = [_filtered(run) for _ in range(repeats)]
    each, funnels = _by_filter(run), []
    for _ in range(repeats):
        started = time.perf_counter()
        funnel = funnel_of(run, list(FILTERS))
        funnels.append(time.perf_counter() - started)
    marked = {step.name: step.marked for step in funnel.steps}
    thousandth = pairs // 1000
    expected = {"unparseable": thousandth, "refused": thousandth, "identical": thousandth, "duplicate": thousandth}
    assert {name: marked[name] for name in expected} == expected, marked
    verdicts = Verdict.objects.filter(run=run).count()
    connection.close()
    return {
        "labels": pairs,
        "verdicts": verdicts,
        "repeats": repeats,
        "machine": machine(),
        "job_s": round(statistics.median(jobs), 2),
        "jobs_s": [round(seconds, 2) for seconds in sorted(jobs)],
        "filters_s": each,
        "funnel_s": round(statistics.median(funnels), 2),
        "marked": marked,
        "within_limit": statistics.median(jobs) <= LIMIT_S,
    }


def _filtered(run: Any) -> float:
    from annotation.models import User
    from jobs.running import run_here
    from judging import filtering

    job = filtering.ask(run=run, by=User.objects.get(username="reviewer"))
    started = time.perf_counter()
    run_here(job=job, out=io.StringIO())
    return time.perf_counter() - started


def _by_filter(run: Any) -> dict[str, float]:
    """Seconds of each filter's own statement, or for what is read in Python of its whole loop."""
    from django.db import connection, transaction

    from judging import filtering

    took = {}
    for name, each in filtering.FILTERS.items():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM judging_filtermark WHERE filter = %s", [name])
            started = time.perf_counter()
            if each.query is None:
                sum(1 for _ in filtering._contradictions(run))
            else:
                filtering._mark(run, name, each.query)
            took[name] = round(time.perf_counter() - started, 2)
            transaction.set_rollback(True)
    return took


if __name__ == "__main__":
    main()
