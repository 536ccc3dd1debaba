"""The openai backend against a real server with a real model: `transformers serve` with the tiny judge."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from judging.backends import Settings, load_backend
from judging.backends.base import Question
from training.tiny_judge_data import example

pytestmark = pytest.mark.slow

READY_SECONDS = 120


@pytest.fixture(scope="module")
def server(tiny_judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("transformers"), "serve", str(tiny_judge), "--port", str(port), "--host",
             "127.0.0.1", "--device", "cpu"],
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)


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
