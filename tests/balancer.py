"""One address in front of several web processes, as a load balancer in production is.

Takes one request a connection, hands it to the next process in turn, and passes the answer on as
it comes, so streams work. A process that refuses the connection, closes it before a byte of an
answer (the connections that a stopping process has not taken yet end so), or answers 503 before
anything else, is passed over for the next one; where none is left, the caller sees the last 503.
That is safe for requests with an idempotency key.
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
    """`targets`: the ports of the web processes, which may change at any time. `served_ports`: the
    port that answered each request, in order."""

    request_queue_size = 128

    def __init__(self, targets: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.targets = list(targets)
        self.served_ports: list[int] = []
        self._turn = count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_targets(self) -> list[int]:
        """The ports to try for the next request, best first."""
        targets = list(self.targets)
        first = next(self._turn) % len(targets)
        return [*targets[first:], *targets[:first]]


class _Handler(StreamRequestHandler):
    server: Balancer

    def handle(self) -> None:
        with suppress(OSError):  # the caller has gone
            self._answer(_read_request(self.rfile))

    def _answer(self, request: bytes) -> None:
        refusal = BAD_GATEWAY
        for port in self.server.next_targets():
            try:
                target = socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                continue
            with target, target.makefile("rb") as answer:
                status = b""
                with suppress(ConnectionResetError, BrokenPipeError):
                    target.sendall(request)
                    status = answer.readline()
                if not status:
                    continue
                if b" 503 " not in status:
                    self.server.served_ports.append(port)
                    self.wfile.write(status)
                    while part := answer.read1():
                        self.wfile.write(part)
                    return
                refusal = status + answer.read()
        self.wfile.write(refusal)


def _read_request(caller: BufferedIOBase) -> bytes:
    """A whole request, changed to be the only one of its connection."""
    head, size = [caller.readline()], 0
    while (line := caller.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
        if name.lower() != b"connection":
            head.append(line)
    return b"".join([*head, b"Connection: close\r\n\r\n", caller.read(size)])


@contextmanager
def run_balancer(*targets: int) -> Iterator[Balancer]:
    """A balancer on a free port, in threads of its own."""
    with Balancer(targets) as balancer:
        serving = threading.Thread(target=balancer.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield balancer
        finally:
            balancer.shutdown()
            serving.join()
