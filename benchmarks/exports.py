"""How much time and memory an export takes: `python benchmarks/exports.py [--pairs N ...] [--distilled N ...]`.

Makes datasets in an empty database of its own: pairs with three labels each (30,000 and 100,000, which is 300,000
labels), and imported rows of the shape of PandaLM's training data (a pair and a distilled verdict each). Then writes
them in each format, and prints JSON, medians of `--repeats`:

- command: `manage.py export`, from its start to its end, with its manifest, and the greatest resident memory of its
  process. `start` is what a command takes that writes nothing. Flat memory shows in two sizes.
- download: the request of a browser for the zip of file and manifest, until its last byte, in one process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import label_data  # noqa: E402
from benchmarks.imports import _manage, _write_rows  # noqa: E402
from config.embedded import postgres  # noqa: E402

LABELLED = ("tiebreak", "csv", "csv-labels", "parquet", "preferences", "pandalm")
DISTILLED = ("tiebreak", "csv", "parquet", "pandalm-train")

# A process of its own, so that it begins as a web process does: with nothing read.
_DOWNLOAD = """
import sys, time, django; django.setup()
from django.conf import settings
from django.test import Client
from annotation.models import User
settings.ALLOWED_HOSTS = ["testserver"]
user, _ = User.objects.get_or_create(username="downloader", defaults={"role": "researcher"})
client = Client(); client.force_login(user)
client.get("/").content
began = time.perf_counter()
answer = client.get(f"/datasets/{sys.argv[1]}/export/", {"format": sys.argv[2]})
assert answer.status_code == 200, answer.content
for _ in answer.streaming_content: pass
print(time.perf_counter() - began)
"""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as folder:
        home = Path(folder) / "home"
        with postgres.used(home):
            _manage(home, "migrate", "--verbosity", "0")
            _manage(home, "collectstatic", "--noinput", "--verbosity", "0")
            began = time.perf_counter()
            start = {"mib": round(_manage(home, "check"), 1), "seconds": round(time.perf_counter() - began, 2)}
            figures: dict[str, object] = {"cores": os.cpu_count(), "start": start}
            for size in given.pairs:
                figures[f"labelled_{size}"] = _labelled(home, Path(folder), size, given.repeats)
            for size in given.distilled:
                figures[f"distilled_{size}"] = _distilled(home, Path(folder), size, given.repeats)
            print(json.dumps(figures, indent=2))
            postgres.stop(home)


def _labelled(home: Path, folder: Path, size: int, repeats: int) -> dict[str, object]:
    slug = f"labelled-{size}"
    label_data.make_pairs(home, slug, size)
    label_data.make_labels(home, slug)
    return {name: _measure(home, folder / "out", slug, name, size, repeats) for name in LABELLED}


def _distilled(home: Path, folder: Path, size: int, repeats: int) -> dict[str, object]:
    slug, path = f"train-{size}", folder / f"train-{size}.jsonl"
    _write_rows(path, size=size, seed=0)
    _manage(home, "import_pairs", str(path), "--dataset", slug, "--format", "pandalm-train")
    path.unlink()
    label_data.execute(home, "SELECT 1", {})
    return {name: _measure(home, folder / "out", slug, name, size, repeats) for name in DISTILLED}


def _measure(home: Path, path: Path, slug: str, name: str, pairs: int, repeats: int) -> dict[str, float]:
    runs = [_command(home, path, slug, name) for _ in range(repeats)]
    seconds = statistics.median(seconds for seconds, _ in runs)
    download = statistics.median(_download(home, slug, name) for _ in range(repeats))
    rows = json.loads(path.with_name(f"{path.name}.manifest.json").read_text())["rows"]
    return {
        "pairs": pairs,
        "rows": rows,
        "file_mib": round(path.stat().st_size / 2**20, 1),
        "command_seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "peak_rss_mib": round(max(peak for _, peak in runs), 1),
        "download_seconds": round(download, 2),
    }


def _command(home: Path, path: Path, slug: str, name: str) -> tuple[float, float]:
    began = time.perf_counter()
    peak = _manage(home, "export", slug, "--format", name, "--output", str(path))
    return time.perf_counter() - began, peak


def _download(home: Path, slug: str, name: str) -> float:
    environment = os.environ | {"TIEBREAK_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", _DOWNLOAD, slug, name], env=environment, cwd=ROOT, check=True, capture_output=True
    )
    return float(done.stdout)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="*", default=(30_000, 100_000))
    parser.add_argument("--distilled", type=int, nargs="*", default=(30_000, 300_000))
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
