"""The openai backend against a real server with a real model: `transformers serve` with the tiny judge."""

import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobs.models import Job
from jobs.running import run_here
from judging.backends import Settings, load_backend
from judging.backends.base import BackendUnavailableError, Question
from judging.models import ApiAnswer, Verdict
from judging.runs.starting import continue_run, start_run
from tests import factories
from tests.judging.stub_server import in_a_thread
from training.tiny_judge_data import example

pytestmark = pytest.mark.slow

READY_SECONDS = 240


@contextmanager
def served(checkpoint: Path, log: Path) -> Iterator[tuple[int, subprocess.Popen]]:
    """A server of its own process on a free port, when it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("transformers"), "serve", str(checkpoint), "--port", str(port), "--host",
             "127.0.0.1", "--device", "cpu"],
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield port, process
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def server(tiny_judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tiny_judge, tmp_path_factory.mktemp("serve") / "log") as (port, _):
        yield f"http://127.0.0.1:{port}/v1"


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"The server was not ready within {READY_SECONDS} s: {log.read_text()}")


def test_a_served_judge_says_what_the_local_one_says(server: str, tiny_judge: Path):
    rng = random.Random(5)
    made = [example(rng).asked for _ in range(6)]
    questions = [
        Question(n, False, asked.instruction, asked.input, asked.first, asked.second) for n, asked in enumerate(made)
    ]
    local = load_backend(Settings("transformers", str(tiny_judge), "", "pandalm@1", {}))
    here = {answer.pair_id: answer for answer in local.judge(questions, reasons=False) if answer}
    local.close()
    parameters = {"base_url": server, "concurrency": 2, "max_tokens": 96}
    served = load_backend(Settings("openai", str(tiny_judge), "", "pandalm@1", parameters))
    there = {answer.pair_id: answer for answer in served.judge(questions, reasons=True) if answer}
    served.close()
    assert {n: answer.status for n, answer in there.items()} == dict.fromkeys(here, "ok")
    assert {n: answer.choice for n, answer in there.items()} == {n: answer.choice for n, answer in here.items()}
    assert all(answer.reason and answer.reference for answer in there.values())
    assert {n: answer.prompt_tokens for n, answer in there.items()} == {n: a.prompt_tokens for n, a in here.items()}


class Counting(ThreadingHTTPServer):
    """Stands before a server and counts what is asked and answered, by the prompt; tells when so many are answered.

    When the server behind it is gone, so is this one: to whoever asks it is the same as if nothing stood between.
    """

    daemon_threads = True

    def __init__(self, *, port: int = 0, behind: int, after: int = 10**9, then: Callable[[], None] = lambda: None):
        super().__init__(("127.0.0.1", port), _Counter)
        self.behind, self.after, self.then = behind, after, then
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.lock = threading.Lock()

    def handle_error(self, request, client_address) -> None:
        """A server that was killed breaks its connections off."""


class _Counter(BaseHTTPRequestHandler):
    server: Counting

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        prompt = json.loads(body)["messages"][-1]["content"]
        self.server.asked.append(prompt)
        passed = urllib.request.Request(
            f"http://127.0.0.1:{self.server.behind}{self.path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(passed, timeout=120) as answer:
            data = answer.read()
        with self.server.lock:
            if len(self.server.answered) == self.server.after:
                return
            self.server.answered.append(prompt)
            last = len(self.server.answered) == self.server.after
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        if last:
            self.server.socket.close()
            self.server.then()


def counting(**options) -> AbstractContextManager[Counting]:
    return in_a_thread(Counting(**options))


@pytest.mark.django_db
def test_a_server_that_is_killed_in_the_middle_is_asked_nothing_again_that_it_answered(
    tiny_judge: Path, tmp_path: Path
):
    rng = random.Random(6)
    dataset = factories.make_dataset()
    for n in range(12):
        made = example(rng).asked
        prompt = factories.make_prompt(instruction=made.instruction, given=made.input, source=str(n))
        factories.make_pair(dataset=dataset, prompt=prompt, texts=(f"{made.first} ({n})", made.second))
    with (
        served(tiny_judge, tmp_path / "one") as (behind, process),
        counting(behind=behind, after=5, then=process.kill) as proxy,
    ):
        parameters = {"concurrency": 2, "max_tokens": 48, "retries": 0, "timeout": 120.0}
        port = proxy.server_address[1]
        judge = factories.make_judge(
            backend="openai",
            model=str(tiny_judge),
            template="pandalm@1",
            parameters=parameters | {"base_url": f"http://127.0.0.1:{port}/v1"},
        )
        run = start_run(judge=judge, dataset=dataset, send=False)
        with pytest.raises(BackendUnavailableError):
            run_here(job=run.job, out=io.StringIO())
    assert process.wait(timeout=20) == -9
    assert len(proxy.answered) == 5
    assert ApiAnswer.objects.count() == Verdict.objects.filter(run=run, status="ok").count() == 5
    with served(tiny_judge, tmp_path / "two") as (behind, _), counting(port=port, behind=behind) as again:
        run = continue_run(run=run, send=False)
        run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    assert run.job.state == Job.State.SUCCEEDED
    assert Verdict.objects.filter(run=run, status="ok").count() == 12
    answered = Counter(proxy.answered + again.answered)
    assert (len(answered), set(answered.values())) == (12, {1}), "each was answered once"
    assert set(proxy.answered).isdisjoint(again.asked), "and what was answered was not asked again"
