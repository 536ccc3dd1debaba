"""How fast files come in, and how much memory that takes: `python benchmarks/imports.py [--pandalm FOLDER]`.

Imports generated rows of the shape and length of PandaLM's training data (about 1 kB: a pair and a distilled verdict)
into an empty database of its own, by the management command that people use, and prints JSON: seconds and rows a
second of the whole command, and the greatest resident memory of its process. Flat memory shows in two sizes.
The target is 300,000 pairs in at most 30 s and 300 MiB on two cores.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config.embedded import postgres  # noqa: E402

SIZES = (30_000, 300_000)
TEST_SET = "testset-v1.json"
VERDICTS = ("gpt-3.5-turbo-testset-v1.json", "pandalm-7b-testset-v1.json")


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as folder:
        home = Path(folder) / "home"
        with postgres.used(home):
            _manage(home, "migrate", "--verbosity", "0")
            print(json.dumps(_measure(given, home=home, folder=Path(folder)), indent=2))


def _measure(given: argparse.Namespace, *, home: Path, folder: Path) -> dict[str, object]:
    figures: dict[str, object] = {"cores": os.cpu_count(), "seed": given.seed}
    for size in given.sizes:
        path = folder / f"train-{size}.jsonl"
        _write_rows(path, size=size, seed=given.seed)
        options = ["--dataset", f"train-{size}", "--format", "pandalm-train"]
        figures[f"train_{size}"] = _import(home, path, size, options)
        if given.again:
            figures[f"train_{size}_again"] = _import(home, path, size, options)
    if given.pandalm:
        for name in (TEST_SET, *VERDICTS):
            figures[name] = _import(home, given.pandalm / name, 999, ["--dataset", "pandalm"])
    return figures


def _import(home: Path, path: Path, rows: int, options: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    peak = _manage(home, "import_pairs", str(path), *options)
    seconds = time.perf_counter() - began
    return {
        "rows": rows,
        "file_mib": round(path.stat().st_size / 2**20, 1),
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "peak_rss_mib": round(peak, 1),
    }


def _manage(home: Path, *arguments: str) -> float:
    """Run a management command; its greatest resident memory in MiB."""
    environment = os.environ | {"TIEBREAK_HOME": str(home)}
    child = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", *arguments], env=environment, stdout=subprocess.DEVNULL, cwd=ROOT
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{arguments[0]} ended with {child.returncode}.")
    return usage.ru_maxrss / 1024


def _write_rows(path: Path, *, size: int, seed: int) -> None:
    with path.open("w") as file:
        for row in _rows(size, random.Random(seed)):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(size: int, chance: random.Random) -> Iterator[dict[str, object]]:
    """Alpaca's prompts are shared by several pairs; two rows in five have an input."""
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyzé", k=chance.randint(2, 9))) for _ in range(5_000)]

    def words(low: int, high: int) -> str:
        return " ".join(chance.choices(vocabulary, k=chance.randint(low, high)))

    prompts = [(words(6, 18), words(8, 30) if chance.random() < 0.4 else "") for _ in range(max(1, size // 6))]
    for _ in range(size):
        instruction, given = chance.choice(prompts)
        yield {
            "inputs": {
                "instruction": instruction,
                "input": given,
                "response1": words(10, 70),
                "response2": words(10, 70),
            },
            "outputs": {
                "evaluation_result": chance.choices(["1", "2", "Tie"], [45, 45, 10])[0],
                "evaluation_reason": words(15, 35),
                "reference_response": words(10, 50),
            },
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="Also import each file a second time.")
    parser.add_argument("--pandalm", type=Path, metavar="FOLDER", help="Where PandaLM's released files are.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
