"""A fake OpenAI-compatible embeddings server on a real socket, in threads of its own."""

from __future__ import annotations

import base64
import json
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from apps.core.ids import new_id

DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers. `is_dropped`: it closes the connection instead."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    wait_for: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float

    @property
    def texts(self) -> list[str]:
        return list(self.body["input"])


Answer = Callable[[dict[str, Any]], Reply]


def vector_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector that tells texts of different lengths apart; its length is not 1."""
    return [float(len(text)), 1.0, *[0.0] * (dimensions - 2)]


def vectors(body: dict[str, Any], dimensions: int = DIMENSIONS) -> Reply:
    """The answer of a server without faults."""
    numbers = [vector_of(text, dimensions) for text in body["input"]]
    if body.get("encoding_format") == "base64":
        data: list[object] = [base64.b64encode(array("f", each)).decode() for each in numbers]
    else:
        data = list(numbers)
    return Reply(answer_body(data, prompt_tokens=len(data)))


def answer_body(data: list[object], **usage: object) -> dict[str, object]:
    """The body of an answer with these vectors."""
    items = [{"object": "embedding", "index": n, "embedding": each} for n, each in enumerate(data)]
    return {"object": "list", "data": items, **({"usage": usage} if usage else {})}


class FakeEmbeddingServer:
    """The running server. Queued replies come first, then `answer` answers.

    `clients`: the addresses of the connections that were made to it. `model`: a name that no other
    server has, because a port may be used again, and what a server accepts is remembered.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.model = f"tiny-{new_id()}"
        self.requests: list[ReceivedRequest] = []
        self.answer: Answer = vectors
        self.clients: set[tuple[str, int]] = set()
        self._queue: list[Reply] = []

    def queue(self, *replies: Reply) -> None:
        """Give these replies to the next requests."""
        self._queue += replies

    def reply_to(self, body: dict[str, Any]) -> Reply:
        return self._queue.pop(0) if self._queue else self.answer(body)


@contextmanager
def serve_embeddings() -> Iterator[FakeEmbeddingServer]:
    """Run a fake server on a free port of 127.0.0.1."""
    fake = FakeEmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.title(): value for name, value in self.headers.items()}
            request = ReceivedRequest(self.path, body, headers, time.monotonic())
            fake.requests.append(request)
            fake.clients.add(self.client_address)
            reply = fake.reply_to(body)
            if reply.wait_for is not None:
                reply.wait_for.wait(60)
            self.close_connection = reply.is_dropped
            if not reply.is_dropped:
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
