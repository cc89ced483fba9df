"""HTTP/1.1 over kept connections, for one purpose: POST a body, read the answer as it comes.

Each event loop has its own. There are no redirects, cookies, proxies or compression; what a
general client does for them costs more than the rest of a token's way.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast
from urllib.parse import quote, unquote, urlsplit

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.llm.http.response_parser import InvalidResponse, ResponseParser

MOST_CONNECTIONS = 1000
"""Connections of one process. Each running turn holds one; more turns wait for `connect`."""

KEPT_SECONDS = 30.0
MOST_WAITING_BYTES = 256 * 1024
"""What may lie unread before its sender is made to wait."""


Sink = Callable[[bytes], bool]
"""Takes bytes as they come, in the event loop's callback; whether it wants more."""


class BadAddress(ValueError):
    """An address that no request can be sent to."""


class _Place(NamedTuple):
    scheme: str
    host: str
    port: int


class Connection(asyncio.Protocol):
    """One connection, and the response that is on its way."""

    def __init__(self) -> None:
        self.response = ResponseParser()
        self.idle_since = 0.0
        self.is_lost = False
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._error: BaseException | None = None
        self._sink: Sink | None = None
        self._is_enough = False
        self._waiter: asyncio.Future[None] | None = None

    def send(self, request: bytes) -> None:
        """Begin a request; the one before it is over."""
        self.response = ResponseParser()
        self.idle_since = 0.0
        self._error = None
        cast(asyncio.Transport, self._transport).write(request)

    async def head(self) -> ResponseParser:
        """The response, once its head is there. Raises OSError."""
        while not self.response.status:
            await self._more()
        return self.response

    async def read(self) -> bytes:
        """The next bytes of the body, as they came; b"" at its end. Raises OSError."""
        while not self._pieces:
            if self.response.is_complete:
                return b""
            await self._more()
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self._waiting = [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return body

    async def pour(self, sink: Sink) -> None:
        """Give the sink the bytes of the body, each as they come; returns at the body's end, or
        once the sink wants no more. Raises OSError, or what the sink raises."""
        if self._pieces and not sink(await self.read()):
            return
        self._sink, self._is_enough = sink, False
        try:
            while not (self._is_enough or self.response.is_complete):
                await self._more()
            if self._error is not None:
                raise self._error
        finally:
            self._sink = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        if self.is_lost:
            raise InvalidResponse("the connection is closed")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.idle_since:
            self.close()  # nobody asked
            return
        try:
            pieces = self.response.feed(data)
        except InvalidResponse as error:
            self._fail(error)
            self.close()
            return
        if pieces and self._sink is not None:
            self._give(pieces, self._sink)
            return
        if pieces:
            self._pieces += pieces
            self._waiting += len(data)
            if self._waiting > MOST_WAITING_BYTES and not self._paused and self._transport:
                self._paused = True
                self._transport.pause_reading()
        self._wake()

    def _give(self, pieces: list[bytes], sink: Sink) -> None:
        try:
            if sink(pieces[0] if len(pieces) == 1 else b"".join(pieces)):
                if self.response.is_complete:
                    self._wake()
                return
        except Exception as error:
            self._error = error
        self._sink, self._is_enough = None, True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if error is not None and not self.response.is_complete:
            self._fail(error)
            return
        try:
            self.response.finish()
        except InvalidResponse as broken:
            self._fail(broken)
        self._wake()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Answer:
    """A response whose head is there. Close it: read to its end, its connection is kept for the
    next request; otherwise it is closed."""

    def __init__(self, pool: Pool, place: _Place, connection: Connection) -> None:
        self._pool = pool
        self._place = place
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
    def is_over(self) -> bool:
        """Whether the body is whole, read or not."""
        return self._connection.response.is_complete

    async def read(self) -> bytes:
        """The next bytes of the body, as they came; b"" at its end. Raises OSError."""
        return await self._connection.read()

    async def pour(self, sink: Sink) -> None:
        """Give the sink the bytes of the body, each as they come; returns at the body's end, or
        once the sink wants no more. Raises OSError, or what the sink raises."""
        await self._connection.pour(sink)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pool.give_back(self._place, self._connection)


class Pool:
    """An event loop's connections."""

    def __init__(self) -> None:
        self._idle: defaultdict[_Place, list[Connection]] = defaultdict(list)
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], connect_seconds: float
    ) -> Answer:
        """POST, and wait for the head of the answer.

        `connect_seconds`: for a connection, its place among the most included. Raises BadAddress,
        ssl.SSLError, or another OSError when nobody answers.
        """
        place, request = _request(url, headers, body)
        async with asyncio.timeout(connect_seconds):
            connection = await self._connection(place)
        try:
            connection.send(request)
            await connection.head()
        except BaseException:
            connection.close()
            self._room.release()
            raise
        return Answer(self, place, connection)

    def give_back(self, place: _Place, connection: Connection) -> None:
        """A connection whose answer has been read, or is not wanted any more."""
        self._room.release()
        if connection.response.is_complete and connection.response.keep_alive and not connection.is_lost:
            connection.idle_since = time.monotonic()
            self._idle[place].append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()

    async def _connection(self, place: _Place) -> Connection:
        await self._room.acquire()
        try:
            return self._kept(place) or await _connect(place)
        except BaseException:
            self._room.release()
            raise

    def _kept(self, place: _Place) -> Connection | None:
        """The one that was used last, and is still good; those that are not are dropped."""
        kept, oldest = self._idle[place], time.monotonic() - KEPT_SECONDS
        found = None
        while kept and found is None:
            connection = kept.pop()
            if connection.is_lost or connection.idle_since < oldest:
                connection.close()
            else:
                found = connection
        while kept and (kept[0].is_lost or kept[0].idle_since < oldest):
            kept.pop(0).close()
        return found


_pools = PerLoop(Pool)


def pool() -> Pool:
    """The running loop's connections."""
    return _pools.get()


def close_pool() -> None:
    """Close the running loop's idle connections; others are closed when they are given back."""
    if found := _pools.pop():
        found.close()


async def _connect(place: _Place) -> Connection:
    tls = _tls() if place.scheme == "https" else None
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, place.host, place.port, ssl=tls)
    return connection


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _request(url: str, headers: Mapping[str, str], body: bytes) -> tuple[_Place, bytes]:
    place, host, path, authorization = _address(url)
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in ({**authorization, **headers}).items()]
    head = "\r\n".join([*lines, "", ""])
    if head.count("\n") != len(lines) + 1:
        raise BadAddress("a header of more than one line")
    return place, head.encode("latin-1") + body


@functools.lru_cache(maxsize=1024)
def _address(url: str) -> tuple[_Place, str, str, dict[str, str]]:
    """Where to connect, the Host header, the path, and the user that an address may name."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        name = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise BadAddress("not an address") from error
    if parts.scheme not in ("http", "https") or not name:
        raise BadAddress("not an address")
    host = f"[{name}]" if ":" in name else name
    if parts.port:
        host = f"{host}:{parts.port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    authorization = {}
    if parts.username is not None:
        given = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization["Authorization"] = f"Basic {base64.b64encode(given.encode()).decode()}"
    return _Place(parts.scheme, name, port), host, path, authorization
