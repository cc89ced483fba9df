"""A round-robin load balancer in front of several web processes.

It reads one request per connection, forwards it to the next process, and streams the response
back. It tries the next process when one refuses the connection, closes it before the first byte of
a response (as a stopping process closes connections that it has not accepted), or responds with
503; if all fail, the client gets the last 503. Requests must have an idempotency key, so that
sending them twice is safe.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from itertools import count
from socketserver import StreamRequestHandler, ThreadingTCPServer

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class Balancer(ThreadingTCPServer):
    """`targets`: the ports of the web processes; tests may change them while it runs.

    `served_ports`: the port that responded to each request, in order.
    """

    request_queue_size = 128

    def __init__(self, targets: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.targets = list(targets)
        self.served_ports: list[int] = []
        self._requests = count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_targets(self) -> list[int]:
        """The ports to try for the next request, in order."""
        targets = list(self.targets)
        first = next(self._requests) % len(targets)
        return [*targets[first:], *targets[:first]]


class _Handler(StreamRequestHandler):
    server: Balancer

    def handle(self) -> None:
        with suppress(OSError):  # the client has disconnected
            self._forward(_read_request(self.rfile))

    def _forward(self, request: bytes) -> None:
        last_failure = BAD_GATEWAY
        for port in self.server.next_targets():
            try:
                target = socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                continue
            with target, target.makefile("rb") as response:
                status = b""
                with suppress(ConnectionResetError, BrokenPipeError):
                    target.sendall(request)
                    status = response.readline()
                if not status:
                    continue
                if b" 503 " not in status:
                    self.server.served_ports.append(port)
                    self.wfile.write(status)
                    while chunk := response.read1():
                        self.wfile.write(chunk)
                    return
                last_failure = status + response.read()
        self.wfile.write(last_failure)


def _read_request(client: BufferedIOBase) -> bytes:
    """Read a complete request; its `Connection` header is replaced by `close`."""
    head, size = [client.readline()], 0
    while (line := client.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
        if name.lower() != b"connection":
            head.append(line)
    return b"".join([*head, b"Connection: close\r\n\r\n", client.read(size)])


@contextmanager
def run_balancer(*targets: int) -> Iterator[Balancer]:
    """Run a balancer on a free port, in its own threads."""
    with Balancer(targets) as balancer:
        server_thread = threading.Thread(target=balancer.serve_forever, args=(0.05,))
        server_thread.start()
        try:
            yield balancer
        finally:
            balancer.shutdown()
            server_thread.join()
