"""The load: JSON requests in a closed loop, and streams kept at once. On bare sockets, because it
shares the machine with what it measures."""

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
"""What the fake model says first: see `upstream`."""
MAX_RESPONSE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Where to post, what, and with which headers."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return cast(str, parts.hostname), cast(int, parts.port)

    def request(self) -> bytes:
        """The whole request, as bytes."""
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
    """A kept connection on which one request at a time is asked."""

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
        """Send the request, wait for the whole answer; its status. Fills `body`, `arrivals` and
        `first_token`."""
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
    """How JSON requests went: how long they took in all, and each one's milliseconds."""

    seconds: float
    milliseconds: Sequence[float]


async def run_json_load(target: Target, *, seconds: float, clients: int) -> JsonTimings:
    """Requests by `clients` at once, none begun after so many seconds. Raises RuntimeError if one
    is not answered 200."""
    request, times = target.request(), list[float]()
    connections = [await connect(target) for _ in range(clients)]
    began = time.perf_counter()

    async def client(connection: Connection) -> None:
        while (sent := time.perf_counter()) < began + seconds:
            status = await connection.send(request)
            times.append((time.perf_counter() - sent) * 1000)
            if status != 200:
                raise _unexpected_response(target, connection, status)

    await asyncio.gather(*(client(connection) for connection in connections))
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return JsonTimings(took, times)


@dataclass(frozen=True)
class StreamTiming:
    """How one stream went, in seconds: until its first token, between arrivals, in all."""

    first_token_seconds: float
    gaps: Sequence[float]
    total_seconds: float


async def run_stream_load(
    target: Target, *, streams: int, turns: int, over: float
) -> list[StreamTiming]:
    """`streams` at once, each `turns` times in a row, begun evenly within `over` seconds. Raises
    RuntimeError if one is not whole."""
    request = target.request()

    async def caller(number: int) -> list[StreamTiming]:
        await asyncio.sleep(over * number / streams)
        connection = await connect(target)
        told = [await _run_stream(target, connection, request) for _ in range(turns)]
        connection.close()
        return told

    told = await asyncio.gather(*(caller(number) for number in range(streams)))
    return [one for each in told for one in each]


async def time_first_tokens(
    targets: Sequence[Target], *, times: int, pause: float
) -> list[list[float]]:
    """Milliseconds until the first token of each of the targets, asked in turns and alone, with
    a pause before each, over connections that are made before the clock runs."""
    told: list[list[float]] = [[] for _ in targets]
    for _ in range(times):
        for target, found in zip(targets, told, strict=True):
            await asyncio.sleep(pause)
            connection = await connect(target)
            found.append(
                (await _run_stream(target, connection, target.request())).first_token_seconds * 1000
            )
            connection.close()
    return told


async def _run_stream(target: Target, connection: Connection, request: bytes) -> StreamTiming:
    began = time.perf_counter()
    status = await connection.send(request)
    whole = time.perf_counter() - began
    if status != 200 or b"[DONE]" not in connection.body[-64:] or connection.first_token is None:
        raise _unexpected_response(target, connection, status)
    gaps = [later - earlier for earlier, later in pairwise(connection.arrivals)]
    return StreamTiming(connection.first_token - began, gaps, whole)


def _unexpected_response(target: Target, connection: Connection, status: int) -> RuntimeError:
    return RuntimeError(f"{target.url} answered {status}: {bytes(connection.body[:500])!r}")
