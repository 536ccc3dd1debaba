"""Twenty annotators at once: `python benchmarks/crowd.py [--pairs 300000] [--clients 20] [--cycles 2000] [--pause 1]`.

Starts the web server as `make run` does, on an empty PostgreSQL of its own with generated pairs of three slots, and
labels over HTTP as browsers do, all clients at the same time, without a pause or with one. People do pause: twenty of
them at ten seconds a pair ask twice a second.

Prints JSON: times of a cycle (one decision and the next pair) in ms, cycles per second, errors, and whether every
pair has as many labels as it should. That is asked of a dataset that is labelled to its end, and of the large one:
nowhere more labels than wanted, nobody twice, and as many labels as answers said. `calibration_ms` as in web.py.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import measuring, web  # noqa: E402
from benchmarks.label_data import LABELS_PER_PAIR, execute, make_pairs  # noqa: E402
from config.embedded import database_url, postgres  # noqa: E402

WANTED_P95_MS = 150
_PEOPLE = """
from annotation.models import User
for number in range(1, {number} + 1):
    User.objects.create_user(f"annotator{{number}}", password="{password}")
"""
_ORDER = """
UPDATE annotation_dataset SET pair_order = %(order)s, shuffled = %(shuffled)s WHERE slug = %(slug)s
"""
_ARRANGE = """
from annotation.dataset_settings import rearrange
from annotation.models import Dataset
from annotation import dataset_settings
dataset_settings.AT_ONCE = 10**9
rearrange(dataset=Dataset.objects.get(slug="{slug}"))
"""
_COUNTS = """
SELECT labels, count(*) FROM (SELECT count(l.id) AS labels FROM annotation_pair p
  JOIN annotation_dataset d ON d.id = p.dataset_id AND d.slug = %s
  LEFT JOIN annotation_label l ON l.pair_id = p.id GROUP BY p.id) counted GROUP BY labels ORDER BY labels
"""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="tiebreak-crowd-") as folder:
        home = Path(folder)
        with postgres.used(home):
            web._manage(home, "migrate", "--verbosity", "0")
            web._manage(home, "collectstatic", "--noinput", "--verbosity", "0")
            people = _PEOPLE.format(number=given.clients, password=web.PASSWORD)
            web._manage(home, "shell", "--no-imports", "--command", people)
            print(json.dumps(_measure(given, home), indent=2), flush=True)
            # Gone before its directory goes.
            postgres.stop(home)


def _measure(given: argparse.Namespace, home: Path) -> dict[str, object]:
    make_pairs(home, "large", given.pairs)
    make_pairs(home, "whole", given.clients * 5)
    figures: dict[str, object] = {
        "cores": os.cpu_count(),
        "pairs": given.pairs,
        "clients": given.clients,
        "pause_s": given.pause,
    }
    for order in given.orders:
        _set_order(home, order)
        with web._server(home) as (port, _):
            execute(home, web.FORGET_LABELS, {"slug": "large"})
            figures[order] = _at_once(home, port, "large", given)
    with web._server(home) as (port, _):
        figures["labelled_to_its_end"] = _at_once(home, port, "whole", given)
    return figures


def _set_order(home: Path, order: str) -> None:
    name, _, shuffled = order.partition("+")
    execute(home, _ORDER, {"order": name, "shuffled": bool(shuffled), "slug": "large"})
    web._manage(home, "shell", "--no-imports", "--command", _ARRANGE.format(slug="large"))


def _at_once(home: Path, port: int, slug: str, given: argparse.Namespace) -> dict[str, object]:
    calibration = measuring.calibration()
    names = [f"annotator{number}" for number in range(1, given.clients + 1)]
    annotators = [web.Annotator(port, slug, name, "htmx") for name in names]
    for annotator in annotators:
        annotator.connection.close()  # The next request opens it: the first to sign in have waited for the last.
        annotator.label()
    seconds: list[float] = []
    errors: list[str] = []
    together = threading.Barrier(len(annotators))

    def work(annotator: web.Annotator) -> None:
        together.wait()
        for _ in range(given.cycles // given.clients):
            time.sleep(random.uniform(0, 2 * given.pause))
            began = time.perf_counter()
            try:
                if not annotator.label():
                    return
            except (RuntimeError, OSError) as error:
                errors.append(str(error)[:200])
                return
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    web._each_in_a_thread(annotators, work)
    wall = time.perf_counter() - began
    if len(seconds) < len(annotators):
        raise RuntimeError(f"Hardly anything was labelled. {errors[:3]}")
    p95 = 1000 * statistics.quantiles(seconds, n=20)[-1]
    counts = _counts(home, slug)
    return {
        "cycles": len(seconds),
        "median_ms": round(1000 * statistics.median(seconds), 1),
        "p95_ms": round(p95, 1),
        "p95_is_within": p95 <= WANTED_P95_MS,
        "slowest_ms": round(1000 * max(seconds), 1),
        "cycles_per_s": round(len(seconds) / wall, 1),
        "errors": errors,
        "labels_wanted": LABELS_PER_PAIR,
        "pairs_by_labels": {str(labels): pairs for labels, pairs in counts},
        "labels_lost": len(seconds) + len(annotators) - sum(labels * pairs for labels, pairs in counts),
        "none_too_many": all(labels <= LABELS_PER_PAIR for labels, _ in counts),
        "calibration_ms": round(calibration),
        "load": round(os.getloadavg()[0], 1),
    }


def _counts(home: Path, slug: str) -> list[tuple[int, int]]:
    with psycopg.connect(database_url(home)) as connection:
        return connection.execute(_COUNTS, [slug]).fetchall()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--cycles", type=int, default=2000, help="of each run, shared by its clients")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a client thinks, on average")
    parser.add_argument(
        "--orders",
        type=lambda text: text.split(","),
        default=["plain", "fewest", "plain+shuffled"],
        help="as in --orders plain,fewest,plain+shuffled",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
