"""How long the page of a study takes: `python benchmarks/study.py [--pairs 100000]`.

100,000 pairs with three labels each, by six people over forty days, beside a smaller dataset, in an empty database of
its own. Prints JSON: medians in ms of the whole request in one process, and of counting alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import label_data  # noqa: E402
from benchmarks.imports import _manage  # noqa: E402
from config.embedded import postgres  # noqa: E402

BESIDE = 20_000

_ASK = """
import json, statistics, sys, time, django; django.setup()
from django.conf import settings
from django.test import Client
from annotation.models import Dataset, User
from annotation.study import study_of
settings.ALLOWED_HOSTS = ["testserver"]
user, _ = User.objects.get_or_create(username="reader", defaults={"role": "reviewer"})
client = Client(); client.force_login(user)
dataset = Dataset.objects.get(slug="large")

def median(work):
    taken = []
    for _ in range(int(sys.argv[1]) + 2):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken[2:]))

def page():
    assert client.get("/datasets/large/study/").status_code == 200

began = time.perf_counter()
sum(i * i for i in range(1_000_000))
calibration = round(1000 * (time.perf_counter() - began))
found = study_of(dataset)
print(json.dumps({"labels": found.done, "people": len(found.people), "page_ms": median(page),
    "counting_ms": median(lambda: study_of(dataset)), "calibration_ms": calibration}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as folder:
        home = Path(folder) / "home"
        with postgres.used(home):
            _manage(home, "migrate", "--verbosity", "0")
            _manage(home, "collectstatic", "--noinput", "--verbosity", "0")
            for slug, size in (("beside", BESIDE), ("large", given.pairs)):
                label_data.make_pairs(home, slug, size)
                label_data.make_labels(home, slug)
            environment = os.environ | {"TIEBREAK_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
            command = [sys.executable, "-c", _ASK, str(given.repeats)]
            done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
            print(json.dumps({"cores": os.cpu_count(), "pairs": given.pairs} | json.loads(done.stdout), indent=2))
            postgres.stop(home)


if __name__ == "__main__":
    main()
