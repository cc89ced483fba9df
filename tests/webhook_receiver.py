"""A web server on loopback that receives webhooks."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """A received request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def payload(self) -> dict[str, Any]:
        """The body: type, timestamp and data."""
        payload: dict[str, Any] = json.loads(self.body)
        return payload


@dataclass(frozen=True)
class Reply:
    """The server's response, sent after `delay` seconds, with `pause` seconds between bytes.

    `raw` is written instead of an HTTP response.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    raw: bytes | None = None


ReplyTo = Callable[[Received], Reply]


class Receiver:
    """Listens from `start` to `stop`, and on the same port when it is started again.

    `connections` counts all connections; `received` has the complete requests.
    """

    def __init__(
        self,
        reply_to: ReplyTo = lambda _: Reply(),
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.reply_to = reply_to
        self.host = host
        self.port = 0
        self.tls = tls
        self.connections = 0
        self.received: list[Received] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    @property
    def event_ids(self) -> list[str]:
        """The event ids of all requests, in order of arrival."""
        return [each.event_id for each in self.received]

    def start(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._reply(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in receiver.host else socket.AF_INET

            def get_request(self) -> tuple[Any, Any]:
                receiver.connections += 1
                connection, address = super().get_request()
                if receiver.tls is not None:
                    connection = receiver.tls.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                return connection, address

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # some tests close the connection early

        self._server = Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        serve = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def stop(self) -> None:
        """Refuse connections until `start`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _reply(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", "0"))
        received = Received(request.path, dict(request.headers), request.rfile.read(length))
        reply = self.reply_to(received)
        self.received.append(received)
        time.sleep(reply.delay)
        request.close_connection = True
        if reply.raw is not None:
            for number in range(len(reply.raw)):
                request.wfile.write(reply.raw[number : number + 1])
                time.sleep(reply.pause)
            return
        request.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        step = 1 if reply.pause else max(1, len(reply.body))
        for at in range(0, len(reply.body), step):
            request.wfile.write(reply.body[at : at + step])
            time.sleep(reply.pause)
