"""What a label costs: `python benchmarks/web.py [--sizes 999,30000,300000] [--chromium /usr/bin/chromium]`.

Starts the web server as `make run` does, on an empty PostgreSQL of its own with generated pairs, and labels over HTTP:
one client, then eight, each a signed-in annotator with a connection that stays open. A cycle is one decision and the
next pair. It is measured as a browser does it (htmx: one POST that answers with the next pair) and as a page without
JavaScript does it (`forms`: a POST, a redirect, a GET).

Prints JSON. CPU is of all processes of the web server and, apart, of PostgreSQL, in ms a cycle; sign-ins and the first
cycles are left out. Clients run on the same machine. `calibration_ms` is a fixed Python loop: about 105 where the
machine is free, more where others use it too. Peers were measured earlier with other means: see docs/benchmarks.md.
"""

import argparse
import http.client
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import measuring  # noqa: E402
from benchmarks.label_data import FORGET_LABELS, LABELS_PER_PAIR, VETERAN_LABELS, execute, make_pairs, make_veteran  # noqa: E402
from benchmarks.label_page import weigh  # noqa: E402
from config.embedded import database_url, postgres  # noqa: E402
from config.supervisor import plan as supervisor_plan  # noqa: E402

PASSWORD = "measured-and-found-quick"
CLIENTS = 8
WARM_UP = 15
VETERAN = "veteran"
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as folder:
        home = Path(folder)
        with postgres.used(home):
            _manage(home, "migrate", "--verbosity", "0")
            _manage(home, "collectstatic", "--noinput", "--verbosity", "0")
            _manage(home, "shell", "--no-imports", "--command", _MAKE_ANNOTATORS)
            print(json.dumps(_measure(given, home), indent=2), flush=True)
            # Gone before its directory goes.
            postgres.stop(home)


def _measure(given: argparse.Namespace, home: Path) -> dict[str, object]:
    slugs = {f"pairs_{size}": f"pairs-{size}" for size in given.sizes}
    for size in given.sizes:
        make_pairs(home, f"pairs-{size}", size)
    if max(given.sizes) > VETERAN_LABELS:
        slugs[f"pairs_{max(given.sizes)}_after_{VETERAN_LABELS}_own_labels"] = VETERAN
        make_pairs(home, VETERAN, max(given.sizes))
        make_veteran(home, VETERAN)
    with _server(home) as (port, web):
        bench = Bench(home, port, web, cycles=given.cycles, repeats=given.repeats)
        figures: dict[str, object] = {"cores": os.cpu_count(), "cycles": given.cycles, "repeats": given.repeats}
        figures |= bench.figures(slugs)
        figures["exactly"] = _label_everything(home, port)
        if given.chromium:
            sign_in = (f"annotator{CLIENTS}", PASSWORD)
            figures["page"] = weigh(
                f"http://127.0.0.1:{port}", f"pairs-{given.sizes[0]}", sign_in, chromium=given.chromium
            )
    return figures


@dataclass(frozen=True)
class Bench:
    home: Path
    port: int
    web: psutil.Process
    cycles: int
    repeats: int

    def figures(self, slugs: dict[str, str]) -> dict[str, dict[str, dict[str, float]]]:
        """Medians over the repeats, by dataset and by way and clients.

        The datasets take turns, so that what else the machine does falls on all of them alike.
        """
        figures: dict[str, dict[str, dict[str, float]]] = {name: {} for name in slugs}
        for way in ("htmx", "forms"):
            for clients in (1, CLIENTS):
                rounds = [
                    {name: self._run(slug, way=way, clients=clients) for name, slug in slugs.items()}
                    for _ in range(self.repeats)
                ]
                for name in slugs:
                    runs = [one[name] for one in rounds]
                    figures[name][f"{way}_{clients}"] = {
                        measure: round(statistics.median(run[measure] for run in runs), 2) for measure in runs[0]
                    }
        return figures

    def _run(self, slug: str, *, way: str, clients: int) -> dict[str, float]:
        """One run, its cycles shared by the clients. It begins without labels but those of the veteran."""
        if slug != VETERAN:
            execute(self.home, FORGET_LABELS, {"slug": slug})
        calibration = measuring.calibration()
        annotators = [Annotator(self.port, slug, f"annotator{number}", way) for number in range(1, clients + 1)]
        for annotator in annotators:
            for _ in range(WARM_UP):
                annotator.label()
        processes = self.web, psutil.Process(postgres.running(self.home))
        before = [_cpu(process) for process in processes]
        seconds: list[float] = []
        began = time.perf_counter()
        _each_in_a_thread(annotators, lambda annotator: _time_cycles(annotator, self.cycles // clients, seconds))
        wall = time.perf_counter() - began
        web_cpu, database_cpu = (
            1000 * (_cpu(process) - was) / len(seconds) for process, was in zip(processes, before, strict=True)
        )
        return {
            "web_cpu_ms": web_cpu,
            "postgres_cpu_ms": database_cpu,
            "cpu_ms": web_cpu + database_cpu,
            "cycle_ms": 1000 * statistics.median(seconds),
            "cycle_p95_ms": 1000 * statistics.quantiles(seconds, n=20)[-1],
            "cycles_per_s": len(seconds) / wall,
            "calibration_ms": calibration,
        }


def _time_cycles(annotator: "Annotator", cycles: int, seconds: list[float]) -> None:
    for _ in range(cycles):
        began = time.perf_counter()
        if not annotator.label():
            raise RuntimeError(f"{annotator.slug} has too few pairs for so many cycles")
        seconds.append(time.perf_counter() - began)


def _label_everything(home: Path, port: int) -> dict[str, object]:
    """Eight annotators label a dataset to its end, all at once; then the labels of each pair are counted."""
    make_pairs(home, "exactly", 200)
    annotators = [Annotator(port, "exactly", f"annotator{number}", "htmx") for number in range(1, CLIENTS + 1)]

    def label_all(annotator: Annotator) -> None:
        while annotator.label():
            pass

    _each_in_a_thread(annotators, label_all)
    with psycopg.connect(database_url(home)) as connection:
        rows = connection.execute(
            "SELECT labels, count(*) FROM (SELECT count(l.id) AS labels FROM annotation_pair p"
            " JOIN annotation_dataset d ON d.id = p.dataset_id AND d.slug = 'exactly'"
            " LEFT JOIN annotation_label l ON l.pair_id = p.id GROUP BY p.id) counted GROUP BY labels"
        ).fetchall()
    return {"pairs": 200, "wanted": LABELS_PER_PAIR, "pairs_by_labels": {str(labels): pairs for labels, pairs in rows}}


class Annotator:
    """Somebody signed in, with a pair before them."""

    def __init__(self, port: int, slug: str, name: str, way: str) -> None:
        self.slug = slug
        self.path = f"/label/{slug}/"
        self.way = way
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.random = random.Random(name)
        form = self._fields(self._request("GET", "/accounts/login/")[1])
        status, _ = self._request("POST", "/accounts/login/", form | {"username": name, "password": PASSWORD})
        if status != 302:
            raise RuntimeError(f"{name} could not sign in: {status}")
        self.form = self._fields(self._request("GET", self.path)[1])

    def label(self) -> bool:
        """Decide the pair in view and get the next; False where there is none in view."""
        if "pair" not in self.form:
            return False
        status, text = self._request("POST", self.path, self.form | {"choice": self.random.choice(["1", "2", "tie"])})
        if self.way == "forms" and status == 302:
            status, text = self._request("GET", self.path)
        if status != 200:
            raise RuntimeError(f"{self.path} answered {status}: {text[:300]}")
        token = self.form["csrfmiddlewaretoken"]
        self.form = {"csrfmiddlewaretoken": token} | self._fields(text)
        return True

    @staticmethod
    def _fields(text: str) -> dict[str, str]:
        return dict(HIDDEN.findall(text))

    def _request(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            if self.way == "htmx" and path == self.path:
                headers["HX-Request"] = "true"
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition("=")
                self.cookies[cookie] = rest.split(";", 1)[0]
        return response.status, text


def _each_in_a_thread(annotators: list[Annotator], work: Callable[[Annotator], None]) -> None:
    failures: list[BaseException] = []

    def guarded(annotator: Annotator) -> None:
        try:
            work(annotator)
        except BaseException as failure:  # noqa: BLE001 - it is raised again below, in the main thread
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(annotator,)) for annotator in annotators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _cpu(process: psutil.Process) -> float:
    """Seconds of a process and all its descendants, also of those that have ended."""
    times = process.cpu_times()
    own = times.user + times.system + times.children_user + times.children_system
    return own + sum(_cpu(child) for child in process.children())


# ---- the server and what is in it


@contextmanager
def _server(home: Path) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    programs = supervisor_plan.programs(home, replace(supervisor_plan.read(), port=port))
    command = next(program.command for program in programs if program.name == "web")
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(home), stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not come up within 30 s")


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
    return kept | {"TIEBREAK_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}


def _manage(home: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=_environment(home), check=True)


_MAKE_ANNOTATORS = f"""
from annotation.models import User
for number in range(1, {CLIENTS} + 1):
    User.objects.create_user(f"annotator{{number}}", password="{PASSWORD}")
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[999, 30_000, 300_000]
    )
    parser.add_argument("--cycles", type=int, default=160, help="of each run, shared by its clients")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--chromium", help="a Chromium to weigh the page with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
