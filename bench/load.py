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

END = b"0\r\n\r\n"
LONGEST_SECONDS = 60.0


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
        self.body = bytearray()
        self._head = b""
        self._length: int | None = None
        self._done: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes) -> int:
        """Send the request, wait for the whole answer; its status. Fills `body`, `arrivals`."""
        self._head, self._length, self.body, self.arrivals = b"", None, bytearray(), []
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(LONGEST_SECONDS):
            return await self._done

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(error or ConnectionResetError("closed early"))

    def data_received(self, data: bytes) -> None:
        if self._head.endswith(b"\r\n\r\n"):
            self._take(data)
            return
        head, blank, body = (self._head + data).partition(b"\r\n\r\n")
        self._head = head + blank
        if blank:
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self._length = int(line[15:])
            self._take(body)

    def _take(self, body: bytes) -> None:
        if body:
            self.arrivals.append(time.perf_counter())
            self.body += body
        is_over = (
            self.body.endswith(END) if self._length is None else len(self.body) >= self._length
        )
        if is_over and self._done and not self._done.done():
            self._done.set_result(int(self._head[9:12]))


async def connect(target: Target) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, *target.address))[1]


@dataclass(frozen=True)
class Answered:
    """How JSON requests went: how long it took in all, and each one's milliseconds."""

    seconds: float
    milliseconds: Sequence[float]


async def send_json(target: Target, *, requests: int, clients: int) -> Answered:
    """`requests` in all, by `clients` at once. Raises RuntimeError if one is not answered 200."""
    request, left, times = target.request(), iter(range(requests)), list[float]()
    connections = [await connect(target) for _ in range(clients)]

    async def client(connection: Connection) -> None:
        for _ in left:
            began = time.perf_counter()
            status = await connection.ask(request)
            times.append((time.perf_counter() - began) * 1000)
            if status != 200:
                raise RuntimeError(
                    f"{target.url} answered {status}: {bytes(connection.body[:500])!r}"
                )

    began = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Answered(seconds, times)


@dataclass(frozen=True)
class Streamed:
    """How one stream went, in seconds: until its first bytes, between arrivals, in all."""

    first: float
    gaps: Sequence[float]
    whole: float


async def send_streams(target: Target, *, streams: int, over: float) -> list[Streamed]:
    """`streams`, begun evenly within `over` seconds. Raises RuntimeError if one is not whole."""
    request = target.request()

    async def stream(number: int) -> Streamed:
        await asyncio.sleep(over * number / streams)
        connection = await connect(target)
        began = time.perf_counter()
        status = await connection.ask(request)
        whole = time.perf_counter() - began
        connection.close()
        if status != 200 or b"[DONE]" not in connection.body[-64:]:
            raise _refused(target, connection, status)
        times = connection.arrivals
        gaps = [later - earlier for earlier, later in pairwise(times)]
        return Streamed(times[0] - began, gaps, whole)

    return await asyncio.gather(*(stream(number) for number in range(streams)))


def _refused(target: Target, connection: Connection, status: int) -> RuntimeError:
    return RuntimeError(f"{target.url} answered {status}: {bytes(connection.body[:500])!r}")
