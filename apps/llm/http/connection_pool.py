"""An HTTP/1.1 client with persistent connections that only POSTs and streams the response.

Each event loop has its own pool. There are no redirects, cookies, proxies or compression: what a
general client does for them costs more than everything else that is done for a token.
"""

import asyncio
import functools
import ssl
import time
from collections import defaultdict
from collections.abc import Mapping

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.llm.http.connection import BytesHandler, Connection
from apps.llm.http.request_encoding import Origin, encode_post

MAX_CONNECTIONS = 1000
"""Of one process. Each running turn uses one; more turns wait for `connect_seconds`."""

MAX_IDLE_SECONDS = 30.0


class HttpResponse:
    """A response whose head has arrived. Close it: if the body was received to its end, the
    connection is kept for the next request, otherwise it is closed."""

    def __init__(self, pool: "ConnectionPool", origin: Origin, connection: Connection) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._is_closed = False

    @property
    def status(self) -> int:
        return self._connection.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By names in Title-Case."""
        return self._connection.response.headers

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been received, read or not."""
        return self._connection.response.is_complete

    async def read(self) -> bytes:
        """See `Connection.read`."""
        return await self._connection.read()

    async def stream_to(self, handler: BytesHandler) -> None:
        """See `Connection.stream_to`."""
        await self._connection.stream_to(handler)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pool.release(self._origin, self._connection)


class ConnectionPool:
    """An event loop's connections."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], connect_seconds: float
    ) -> HttpResponse:
        """POST, and wait for the head of the response.

        `connect_seconds`: for a connection, including the wait for a slot. Raises InvalidUrl,
        ssl.SSLError, or another OSError when nobody answers.
        """
        origin, request = encode_post(url, headers, body)
        async with asyncio.timeout(connect_seconds):
            connection = await self._acquire(origin)
        try:
            connection.send(request)
            await connection.wait_for_head()
        except BaseException:
            connection.close()
            self._slots.release()
            raise
        return HttpResponse(self, origin, connection)

    def release(self, origin: Origin, connection: Connection) -> None:
        """Take back a connection whose response was read, or is no longer wanted."""
        self._slots.release()
        response = connection.response
        if response.is_complete and response.keep_alive and not connection.is_lost:
            connection.idle_since = time.monotonic()
            self._idle[origin].append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _acquire(self, origin: Origin) -> Connection:
        await self._slots.acquire()
        try:
            return self._pop_idle(origin) or await _connect(origin)
        except BaseException:
            self._slots.release()
            raise

    def _pop_idle(self, origin: Origin) -> Connection | None:
        """The most recently used connection that still works; drops those that do not."""
        idle, oldest = self._idle[origin], time.monotonic() - MAX_IDLE_SECONDS
        found = None
        while idle and found is None:
            connection = idle.pop()
            if connection.is_lost or connection.idle_since < oldest:
                connection.close()
            else:
                found = connection
        while idle and (idle[0].is_lost or idle[0].idle_since < oldest):
            idle.pop(0).close()
        return found


_pools = PerLoop(ConnectionPool)


def connection_pool() -> ConnectionPool:
    """The running loop's pool."""
    return _pools.get()


def close_idle_connections() -> None:
    """Close the running loop's idle connections; others are closed when they are released."""
    if pool := _pools.pop():
        pool.close()


async def _connect(origin: Origin) -> Connection:
    tls = _tls_context() if origin.scheme == "https" else None
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, origin.host, origin.port, ssl=tls)
    return connection


@functools.cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
