"""What a run costs besides its judge, by its length: `python benchmarks/run_scale.py [--pairs 1000 10000 100000]`.

Makes a PostgreSQL of its own with a dataset of each size and has it judged in one order by the baseline `longer` and by
the fake judge, which say what they say in no time: each run in a process of its own, by its job, as on a worker. What
is measured is what is the same for every judge: reading pairs, keeping verdicts, progress. With `--checkpoint FOLDER`
(as `manage.py make_tiny_judge` makes one) a few thousand pairs (`--judged`) are judged by a real model, and how much of
that time goes into saving is told.

Prints JSON: microseconds a pair (of the clock, of this process's CPU, of PostgreSQL's, and of both), the largest memory
in MB before and after the run, and the ratio of the longest run's CPU a pair to the shortest's. `calibration_ms` is a
fixed Python loop: about 105 where the machine is free, more where others use it too.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import machine, own_database  # noqa: E402
from config.embedded import postgres  # noqa: E402

LARGEST_RATIO, LARGEST_SHARE = 1.3, 0.05

# {dataset} with {n} pairs, whose numbers begin behind {after}.
FILL = """
INSERT INTO annotation_dataset (id, slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES ({dataset}, 'pairs-{n}', 'train', 0, true, now());
INSERT INTO annotation_prompt (id, instruction, input, source, reference, content_hash)
    SELECT {after} + i, 'Instruction ' || i || ': ' || repeat('rewrite the following sentence ', 4),
        CASE WHEN i % 2 = 0 THEN repeat('some input text ', 8) ELSE '' END, '', '', md5('p' || {after} + i)::uuid
    FROM generate_series(1, {n}) i;
INSERT INTO annotation_response (id, prompt_id, text, text_hash)
    SELECT 2 * ({after} + i) - half, {after} + i, repeat('lorem ipsum dolor sit amet ', 5 + (i * (1 + half)) % 17) || i,
        md5(half || 'r' || {after} + i)::uuid
    FROM generate_series(1, {n}) i, generate_series(0, 1) half;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT {after} + i, {dataset}, {after} + i, 2 * ({after} + i) - 1, 2 * ({after} + i), i, '{{}}'
    FROM generate_series(1, {n}) i;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--judges", nargs="*", default=["longer", "fake"], choices=["longer", "fake"])
    parser.add_argument("--repeats", type=int, default=3, help="of runs over fewer than 100,000 pairs")
    parser.add_argument("--checkpoint", type=Path, help="a real judge, to measure the share of saving")
    parser.add_argument("--judged", type=int, default=3_000, help="pairs that it judges")
    parser.add_argument("--one", nargs=2, metavar=("JUDGE", "DATASET"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(_run_here(*given.one)), flush=True)
        return
    with own_database():
        print(json.dumps(_measure(given), indent=2), flush=True)


def _measure(given: argparse.Namespace) -> dict[str, Any]:
    sizes = sorted({*(given.pairs if given.judges else []), *([given.judged] if given.checkpoint else [])})
    _fill(sizes, given.checkpoint)
    found: dict[str, Any] = {"machine": machine()}
    for judge in given.judges:
        by_size = {pairs: _median_run(judge, pairs, given.repeats) for pairs in sorted(given.pairs)}
        costs = [one["all_cpu_us_a_pair"] for one in by_size.values()]
        found[judge] = {"by_pairs": by_size, "ratio": round(costs[-1] / costs[0], 2)}
    if given.checkpoint:
        found["checkpoint"] = _run("checkpoint", given.judged)
    ratios = [found[judge]["ratio"] <= LARGEST_RATIO for judge in given.judges]
    saving = found.get("checkpoint", {}).get("saving_share", 0.0) <= LARGEST_SHARE
    return found | {"within_limits": all([*ratios, saving])}


def _fill(sizes: list[int], checkpoint: Path | None) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from judging.judges import create_judge

    call_command("migrate", verbosity=0)
    after = 0
    with connection.cursor() as cursor:
        for number, pairs in enumerate(sizes, 1):
            cursor.execute(FILL.format(dataset=number, n=pairs, after=after))
            after += pairs
        cursor.execute("VACUUM ANALYZE")
    create_judge(name="longer", backend="baseline", model="longer")
    create_judge(name="fake", backend="fake")
    if checkpoint:
        create_judge(name="checkpoint", backend="transformers", model=str(checkpoint))
    connection.close()


def _median_run(judge: str, pairs: int, repeats: int) -> dict[str, Any]:
    runs = [_run(judge, pairs) for _ in range(repeats if pairs < 100_000 else 1)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _run(judge: str, pairs: int) -> dict[str, Any]:
    before = _server_cpu()
    answer = subprocess.run(
        [sys.executable, __file__, "--one", judge, f"pairs-{pairs}"], check=True, capture_output=True, text=True
    )
    found = json.loads(answer.stdout)
    # The server's processes for this run have ended, and what they took is their parent's.
    found["server_cpu_us_a_pair"] = round(1e6 * (_server_cpu() - before) / pairs, 1)
    found["all_cpu_us_a_pair"] = round(found["cpu_us_a_pair"] + found["server_cpu_us_a_pair"], 1)
    print(f"{judge}, {pairs} pairs: {json.dumps(found)}", file=sys.stderr, flush=True)
    return found


def _server_cpu() -> float:
    """Seconds that PostgreSQL and all its processes have taken."""
    time.sleep(0.5)
    server = psutil.Process(postgres.running(Path(os.environ["TIEBREAK_HOME"])))
    own = server.cpu_times()
    living = [child.cpu_times() for child in server.children()]
    return sum(own[:4]) + sum(sum(times[:2]) for times in living)


def _run_here(judge: str, dataset: str) -> dict[str, Any]:
    """The job of a run, in this process."""
    import django

    django.setup()
    from annotation.models import Dataset
    from jobs.running import run_here
    from judging import work
    from judging.models import Judge, Verdict
    from judging.runs.starting import start_run

    saving, save = [0.0], work._Saver.save

    def timed(saver: Any) -> None:
        started = time.perf_counter()
        save(saver)
        saving[0] += time.perf_counter() - started

    work._Saver.save = timed  # type: ignore[method-assign]
    run = start_run(judge=Judge.objects.get(name=judge), dataset=Dataset.objects.get(slug=dataset), send=False)
    before, cpu, started = _megabytes(), time.process_time(), time.perf_counter()
    run_here(job=run.job, out=io.StringIO())
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    pairs = Verdict.objects.filter(run=run).count()
    return {
        "us_a_pair": round(1e6 * seconds / pairs, 1),
        "cpu_us_a_pair": round(1e6 * cpu / pairs, 1),
        "seconds": round(seconds, 2),
        "memory_mb": _megabytes(),
        "memory_before_mb": before,
        "saving_share": round(saving[0] / seconds, 4),
    }


def _megabytes() -> float:
    """The most that this process has ever held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
