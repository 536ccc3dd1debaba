"""A real HTTP server that speaks OpenAI's Batch API: files go in, batches are worked off, files come out."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.judging.stub_server import _completion, in_a_thread, say

GOOD = '{"choice": "1", "reason": "Better.", "reference": "Ha."}'


class BatchStub(ThreadingHTTPServer):
    """Each look at a batch answers so many (`pace`) of its questions more, as `reply` says; the last ones first.

    `ends` turns a batch into another state at so many looks: {"expired": 2}. `broken`: status of every call; 0: none.
    """

    daemon_threads = True

    def __init__(self, reply: Callable[[dict], dict]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.calls: list[str] = []
        self.pace, self.ends, self.broken = 10**9, {}, 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def asked(self) -> list[str]:
        """custom_id of every question of every file that was uploaded."""
        uploads = [data for name, data in self.files.items() if name.startswith("file-in")]
        return [json.loads(line)["custom_id"] for data in uploads for line in data.splitlines()]

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""

    def upload(self, data: bytes, kind: str = "in") -> dict:
        name = f"file-{kind}-{len(self.files)}"
        self.files[name] = data
        return {"id": name, "object": "file", "bytes": len(data), "created_at": 0, "filename": "x", "purpose": "batch"}

    def begin(self, asked: dict) -> dict:
        name = f"batch-{len(self.batches)}"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "completion_window": asked["completion_window"],
            "status": "validating",
            "created_at": 0,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        self.batches[name]["todo"], self.batches[name]["looks"] = lines, 0
        self.batches[name]["out"], self.batches[name]["bad"] = [], []
        return self.shown(name)

    def shown(self, name: str) -> dict:
        return {key: value for key, value in self.batches[name].items() if key not in {"todo", "looks", "out", "bad"}}

    def look(self, name: str) -> dict:
        batch = self.batches[name]
        if batch["status"] in {"validating", "in_progress", "cancelling"}:
            self._work(batch)
        return self.shown(name)

    def _work(self, batch: dict) -> None:
        batch["looks"] += 1
        cancelled = batch["status"] == "cancelling"
        batch["status"] = "in_progress"
        for _ in range(0 if cancelled else min(self.pace, len(batch["todo"]))):
            asked = batch["todo"].pop()
            answered = {"id": "r", "custom_id": asked["custom_id"], "error": None} | self.reply(asked)
            good = (answered.get("response") or {}).get("status_code") == 200
            batch["out" if good else "bad"].append(answered)
            batch["request_counts"]["completed" if good else "failed"] += 1
        end = next((state for state, looks in self.ends.items() if batch["looks"] >= looks), "")
        end = "cancelled" if cancelled else "completed" if not batch["todo"] else end
        if not end:
            return
        batch["status"] = end
        code = {"expired": "batch_expired", "cancelled": "batch_cancelled"}.get(end, "")
        missing = [{"custom_id": one["custom_id"], "response": None, "error": {"code": code}} for one in batch["todo"]]
        for key, lines in (("output_file_id", batch["out"]), ("error_file_id", [*batch["bad"], *missing])):
            if lines:
                batch[key] = self.upload(b"\n".join(json.dumps(line).encode() for line in lines), "out")["id"]
        if end == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "x", "line": 3, "message": "the model is unknown"}]}


def answered(asked: dict, text: str = GOOD) -> dict:
    """A line's response of HTTP 200."""
    return {"response": {"status_code": 200, "body": _completion(say(text), chat="messages" in asked["body"])}}


def refused(status: int, code: str = "", message: str = "no") -> dict:
    return {"response": {"status_code": status, "body": {"error": {"code": code, "message": message}}}}


def batching(reply: Callable[[dict], dict] = answered) -> AbstractContextManager[BatchStub]:
    return in_a_thread(BatchStub(reply))


class _Handler(BaseHTTPRequestHandler):
    server: BatchStub

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer("POST", body)

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def _answer(self, method: str, body: bytes) -> None:
        path = self.path.split("?")[0].removeprefix("/v1")
        with self.server.lock:
            self.server.calls.append(f"{method} {path}")
            if self.server.broken:
                self._send(self.server.broken, b'{"error": {"message": "no", "code": "x"}}')
                return
            self._send(200, self._found(method, path.strip("/").split("/"), body))

    def _found(self, method: str, parts: list[str], body: bytes) -> bytes:
        server = self.server
        if parts == ["files"]:
            return json.dumps(server.upload(self._file(body))).encode()
        if parts[0] == "files":
            return server.files[parts[1]]
        if parts == ["batches"]:
            found = server.begin(json.loads(body)) if method == "POST" else self._list()
            return json.dumps(found).encode()
        if parts[-1] == "cancel":
            server.batches[parts[1]]["status"] = "cancelling"
            return json.dumps(server.shown(parts[1])).encode()
        return json.dumps(server.look(parts[1])).encode()

    def _list(self) -> dict:
        return {"object": "list", "data": [self.server.shown(name) for name in self.server.batches], "has_more": False}

    def _file(self, body: bytes) -> bytes:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body)
        return next(part.get_payload(decode=True) for part in parts.iter_parts() if part.get_filename())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
