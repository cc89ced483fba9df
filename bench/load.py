"""Generate load: JSON requests in a closed loop, and concurrent streams.

Uses asyncio protocols without an HTTP library, because it shares the machine with the servers.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast
from urllib.parse import urlsplit

LAST_CHUNK = b"0\r\n\r\n"
FIRST_TOKEN = b"word000"
"""The first token of the fake model: see `fake_model`."""
MAX_RESPONSE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """URL, body and headers of a POST request."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return cast(str, parts.hostname), cast(int, parts.port)

    def request(self) -> bytes:
        """Return the HTTP request as bytes."""
        body = json.dumps(self.body).encode()
        headers = {
            "Host": "{}:{}".format(*self.address),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        lines = [f"POST {urlsplit(self.url).path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """A keep-alive HTTP connection for one request at a time."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.first_token: float | None = None
        self.body = bytearray()
        self._head = b""
        self._length: int | None = None
        self._done: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def send(self, request: bytes) -> int:
        """Send the request, wait for the whole response and return its status.

        Sets `body`, `arrivals` (the time of each received part) and `first_token`.
        """
        self._head, self._length, self.body, self.arrivals = b"", None, bytearray(), []
        self.first_token = None
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(MAX_RESPONSE_SECONDS):
            return await self._done

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(error or ConnectionResetError("closed early"))

    def data_received(self, data: bytes) -> None:
        if self._head.endswith(b"\r\n\r\n"):
            self._receive_body(data)
            return
        head, blank, body = (self._head + data).partition(b"\r\n\r\n")
        self._head = head + blank
        if blank:
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self._length = int(line[15:])
            self._receive_body(body)

    def _receive_body(self, body: bytes) -> None:
        if body:
            self.arrivals.append(time.perf_counter())
            self.body += body
            if self.first_token is None and FIRST_TOKEN in self.body:
                self.first_token = self.arrivals[-1]
        is_over = (
            self.body.endswith(LAST_CHUNK)
            if self._length is None
            else len(self.body) >= self._length
        )
        if is_over and self._done and not self._done.done():
            self._done.set_result(int(self._head[9:12]))


async def connect(target: Target) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, *target.address))[1]


@dataclass(frozen=True)
class JsonTimings:
    """Duration of the whole load, and of each request."""

    seconds: float
    milliseconds: Sequence[float]


async def run_json_load(target: Target, *, seconds: float, clients: int) -> JsonTimings:
    """Send requests from `clients` concurrent clients for `seconds` seconds.

    Raises RuntimeError if a response is not 200.
    """
    request, times = target.request(), list[float]()
    connections = [await connect(target) for _ in range(clients)]
    start = time.perf_counter()

    async def client(connection: Connection) -> None:
        while (sent := time.perf_counter()) < start + seconds:
            status = await connection.send(request)
            times.append((time.perf_counter() - sent) * 1000)
            if status != 200:
                raise _unexpected_response(target, connection, status)

    await asyncio.gather(*(client(connection) for connection in connections))
    duration = time.perf_counter() - start
    for connection in connections:
        connection.close()
    return JsonTimings(duration, times)


@dataclass(frozen=True)
class StreamTiming:
    """Seconds of one stream: until the first token, between received parts, and in total."""

    first_token_seconds: float
    gaps: Sequence[float]
    total_seconds: float


async def run_stream_load(
    target: Target, *, streams: int, turns: int, over: float
) -> list[StreamTiming]:
    """Run `streams` concurrent clients with `turns` streams each, started within `over` seconds.

    Raises RuntimeError if a stream is not complete.
    """
    request = target.request()

    async def client(number: int) -> list[StreamTiming]:
        await asyncio.sleep(over * number / streams)
        connection = await connect(target)
        timings = [await _run_stream(target, connection, request) for _ in range(turns)]
        connection.close()
        return timings

    clients = await asyncio.gather(*(client(number) for number in range(streams)))
    return [timing for timings in clients for timing in timings]


async def time_first_tokens(
    targets: Sequence[Target], *, times: int, pause: float
) -> list[list[float]]:
    """Return milliseconds until the first token, `times` values for each target.

    Targets are requested alternately, one request at a time, with a pause before each. Connecting
    is not included.
    """
    milliseconds: list[list[float]] = [[] for _ in targets]
    for _ in range(times):
        for target, values in zip(targets, milliseconds, strict=True):
            await asyncio.sleep(pause)
            connection = await connect(target)
            timing = await _run_stream(target, connection, target.request())
            values.append(timing.first_token_seconds * 1000)
            connection.close()
    return milliseconds


async def _run_stream(target: Target, connection: Connection, request: bytes) -> StreamTiming:
    start = time.perf_counter()
    status = await connection.send(request)
    total = time.perf_counter() - start
    if status != 200 or b"[DONE]" not in connection.body[-64:] or connection.first_token is None:
        raise _unexpected_response(target, connection, status)
    gaps = [later - earlier for earlier, later in pairwise(connection.arrivals)]
    return StreamTiming(connection.first_token - start, gaps, total)


def _unexpected_response(target: Target, connection: Connection, status: int) -> RuntimeError:
    return RuntimeError(f"{target.url} answered {status}: {bytes(connection.body[:500])!r}")
