"""A real HTTP server that speaks OpenAI's chat and completion API, and misbehaves as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

S = TypeVar("S", bound=ThreadingHTTPServer)
Reply = dict


def say(text: str | None, *, finish: str = "stop", refusal: str | None = None, logprobs: list | None = None) -> Reply:
    """A well-formed answer of either endpoint: the text as a message and as a completion."""
    return {"text": text, "finish": finish, "refusal": refusal, "logprobs": logprobs}


def error(status: int, *, code: str = "", message: str = "no", **headers: str) -> Reply:
    return {"status": status, "body": {"error": {"message": message, "code": code, "type": "x"}}, "headers": headers}


def body(data: bytes, *, kind: str = "application/json") -> Reply:
    """HTTP 200 with whatever bytes."""
    return {"status": 200, "bytes": data, "headers": {"Content-Type": kind}}


CLOSE: Reply = {"close": True}


class Stub(ThreadingHTTPServer):
    """`replies` decides: given the request's text and how often it came before, a Reply."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, replies: Callable[[str, int], Reply]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = replies
        self.seen: list[dict] = []
        self.times: list[float] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""


def serving(replies: Callable[[str, int], Reply]) -> AbstractContextManager[Stub]:
    return in_a_thread(Stub(replies))


@contextmanager
def in_a_thread(server: S) -> Iterator[S]:
    """The server answers for the length of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = request.get("prompt") or request["messages"][-1]["content"]
        with self.server.lock:
            before = sum(one["text"] == text for one in self.server.seen)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.seen.append({"text": text, "request": request, "headers": headers, "path": self.path})
            self.server.times.append(time.monotonic())
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        try:
            reply = self.server.replies(text, before)
            time.sleep(reply.get("delay", 0))
        finally:
            # Before the answer is out: whoever has it may ask again while this thread still ends.
            with self.server.lock:
                self.server.under_way -= 1
        self._reply(reply, request)

    def _reply(self, reply: Reply, request: dict) -> None:
        if reply.get("close"):
            self.connection.close()
            self.close_connection = True
            return
        data = reply.get("bytes")
        if data is None:
            data = json.dumps(reply.get("body") or _completion(reply, chat="messages" in request)).encode()
        self.send_response(reply.get("status", 200))
        headers = {"Content-Type": "application/json"} | reply.get("headers", {})
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _completion(reply: Reply, *, chat: bool) -> dict:
    choice = {"index": 0, "finish_reason": reply["finish"], "logprobs": None}
    tokens = reply["logprobs"]
    if chat:
        choice["message"] = {"role": "assistant", "content": reply["text"], "refusal": reply["refusal"]}
        if tokens:
            choice["logprobs"] = {
                "content": [
                    {
                        "token": token,
                        "logprob": 0.0,
                        "bytes": None,
                        "top_logprobs": [{"token": t, "logprob": p, "bytes": None} for t, p in others.items()],
                    }
                    for token, others in tokens
                ]
            }
    else:
        choice["text"] = reply["text"]
        if tokens:
            choice["logprobs"] = {
                "tokens": [token for token, _ in tokens],
                "top_logprobs": [others for _, others in tokens],
                "token_logprobs": [0.0] * len(tokens),
                "text_offset": [0] * len(tokens),
            }
    return {
        "id": "x",
        "object": "chat.completion" if chat else "text_completion",
        "created": 0,
        "model": reply.get("model", "stub"),
        "choices": [choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
    }
