"""How much of a server's limit an API judge uses: `python benchmarks/api_judge.py [--questions 6000] [--at-once 50]`.

A server of its own process answers OpenAI's chat requests after 200 ms each, at most so many at once; more get a 429.
Its limit is at-once / 0.2 answers a second. The judge is the `openai` backend as a run uses it, without a database; its
questions are all different. A second part has the server allow only half of what the judge was made for, so that the
judge must find the pace by itself.

Prints JSON: answers/s, the share of the limit, how many 429 the server had to say, and CPU ms an answer.
`calibration_ms` is a fixed Python loop: about 105 where the machine is free.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import machine  # noqa: E402
from judging.backends import Settings, load_backend  # noqa: E402
from judging.backends.base import Question  # noqa: E402

LATENCY = 0.2
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "stub",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"choice": "1"}'}}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 6, "total_tokens": 206},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=6000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    report = {
        "machine": machine(),
        "latency_s": LATENCY,
        "at_the_limit": _measured(options, allowed=options.at_once),
        "twice_the_limit": _measured(options, allowed=options.at_once // 2),
    }
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n")


def _measured(options: argparse.Namespace, *, allowed: int) -> dict[str, Any]:
    runs = [_once(options, allowed=allowed) for _ in range(options.repeats)]
    middle = sorted(runs, key=lambda run: run["answers_per_second"])[len(runs) // 2]
    shares = [run["share_of_limit"] for run in runs]
    return {"allowed_at_once": allowed, "asked_at_once": options.at_once, **middle, "shares": sorted(shares)}


def _once(options: argparse.Namespace, *, allowed: int) -> dict[str, Any]:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(there, allowed), daemon=True)
    server.start()
    port = here.recv()
    parameters = {"base_url": f"http://127.0.0.1:{port}/v1", "concurrency": options.at_once, "retries": 20}
    backend = load_backend(Settings("openai", "stub", "", "json@1", parameters))
    questions = [
        Question(n, False, f"Task {n}: write a headline.", "", f"first {n}", f"second {n}")
        for n in range(options.questions)
    ]
    started, cpu = time.perf_counter(), time.process_time()
    answers = [answer for answer in backend.judge(questions, reasons=False) if answer]
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    backend.close()
    here.send("end")
    refused = here.recv()
    server.join(10)
    assert sorted(answer.pair_id for answer in answers) == list(range(options.questions))
    assert {answer.status for answer in answers} == {"ok"}
    return {
        "answers_per_second": round(len(answers) / seconds, 1),
        "share_of_limit": round(len(answers) / seconds / (allowed / LATENCY), 3),
        "refused_429": refused,
        "cpu_ms_per_answer": round(1000 * cpu / len(answers), 2),
    }


def _serve(pipe: Any, allowed: int) -> None:
    asyncio.run(_server(pipe, allowed))


async def _server(pipe: Any, allowed: int) -> None:
    under_way = refused = 0
    body = json.dumps(ANSWER).encode()
    good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    many = b'{"error": {"message": "slow down", "code": "rate_limit", "type": "x"}}'
    bad = b"HTTP/1.1 429 Too Many\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(many), many)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, refused
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                await reader.readexactly(length)
                if under_way >= allowed:
                    refused += 1
                    writer.write(bad)
                    continue
                under_way += 1
                await asyncio.sleep(LATENCY)
                under_way -= 1
                writer.write(good)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    while not pipe.poll():
        await asyncio.sleep(0.05)
    pipe.send(refused)


if __name__ == "__main__":
    main()
