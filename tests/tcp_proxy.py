"""A TCP proxy that can behave as a server that is away, or frozen."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class TcpProxy:
    """Forwards connections to the server of a URL; `url` is the same URL through the proxy.

    `attempts`: how many connections were made to it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        port = self._listener.getsockname()[1]
        credentials, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()
        self.attempts = 0
        self._is_away = False
        self._lost_request: bytes | None = None
        self._losing: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close all connections, and every new one at once, as while a server is away."""
        self._is_away = True
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def lose_answer(self, request: bytes) -> None:
        """Forward the next request that contains this, and cut its connection when the answer
        comes: the server has done it, and the client does not know."""
        self._lost_request = request

    def freeze(self) -> None:
        """Accept connections, and forward nothing."""
        self._flows.clear()

    def restore(self) -> None:
        """Work again, with the connections that are left."""
        self._is_away = False
        self._flows.set()

    def close(self) -> None:
        self.cut()
        self._flows.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts += 1
            if self._is_away:
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            with self._lock:
                self._sockets |= {client, server}
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            with self._lock:
                self._sockets -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                if self._lost_request and self._lost_request in received:
                    self._lost_request = None
                    self._losing.add(target)
                if source in self._losing:
                    break
                self._flows.wait()
                target.sendall(received)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def run_proxy(url: str) -> Iterator[TcpProxy]:
    """Run a proxy that is closed afterwards."""
    proxy = TcpProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
