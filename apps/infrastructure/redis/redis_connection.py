"""One connection to Redis for what every turn asks: questions go out as they come, and answers
come back in their order.

A pool of redis-py's connections takes a tenth of a turn's CPU: one of them is borrowed, guarded by
timers and given back for each script. It serves all that is asked less often, see `redis`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, RedisError, ResponseError

_KNOWN = {"host", "port", "path", "db", "username", "password", "connection_class"}


class _Incomplete(Exception):
    """An answer that is not all there yet."""


class RedisLine(asyncio.Protocol):
    """The connection. Use `connect`."""

    def __init__(self, patience: float) -> None:
        self.is_lost = False
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._asked: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._came = b""
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, *words: str | int) -> asyncio.Future[Any]:
        """A command. Its answer, or a RedisError; TimeoutError when Redis is silent for longer
        than `patience` seconds."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.is_lost or self._transport is None:
            answer.set_exception(ConnectionLost("the connection is lost"))
            return answer
        self._asked.append((answer, self._loop.time()))
        self._transport.write(_command(words))
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience, self._look)
        return answer

    def close(self) -> None:
        self._end(ConnectionLost("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._came += data
        at = 0
        try:
            while at < len(self._came):
                value, at = _answer(self._came, at)
                answer, _ = self._asked.popleft()
                if answer.done():
                    continue
                if isinstance(value, RedisError):
                    answer.set_exception(value)
                else:
                    answer.set_result(value)
        except _Incomplete:
            pass
        except (ValueError, IndexError):
            self._end(ConnectionLost("not the wire of Redis"))
        self._came = self._came[at:]

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ConnectionLost("the connection is lost"))

    def _look(self) -> None:
        """One timer for all that is asked: it looks at whoever has waited longest."""
        self._timer = None
        if not self._asked:
            return
        left = self._asked[0][1] + self._patience - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._end(TimeoutError("Redis does not answer"))

    def _end(self, error: Exception) -> None:
        self.is_lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        while self._asked:
            answer, _ = self._asked.popleft()
            if not answer.done():
                answer.set_exception(error)


def understands(url: str) -> bool:
    """Whether the address says nothing but where Redis is, who asks and which database."""
    return parse_url(url).keys() <= _KNOWN


async def connect(url: str, *, seconds: float, patience: float) -> RedisLine:
    """A line to the Redis at this address. Raises OSError, TimeoutError or RedisError."""
    told: Mapping[str, Any] = parse_url(url)
    kind = told.get("connection_class")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        if kind is UnixDomainSocketConnection:
            _, line = await loop.create_unix_connection(lambda: RedisLine(patience), told["path"])
        else:
            tls = ssl.create_default_context() if kind is SSLConnection else None
            host, port = told.get("host", "localhost"), told.get("port", 6379)
            _, line = await loop.create_connection(lambda: RedisLine(patience), host, port, ssl=tls)
        try:
            if password := told.get("password"):
                await line.ask("AUTH", *filter(None, [told.get("username")]), password)
            if database := told.get("db"):
                await line.ask("SELECT", database)
        except BaseException:
            line.close()
            raise
    return line


def _command(words: tuple[str | int, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        text = str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


def _answer(data: bytes, at: int) -> tuple[Any, int]:
    """The answer that begins at `at`, and where the next one does. Raises _Incomplete, or
    ValueError for what is no answer. Texts stay bytes."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise _Incomplete
    kind, line, after = data[at : at + 1], data[at + 1 : end], end + 2
    match kind:
        case b":":
            return int(line), after
        case b"+":
            return line, after
        case b"-":
            text = line.decode("utf-8", "replace")
            return (NoScriptError if text.startswith("NOSCRIPT") else ResponseError)(text), after
        case b"$":
            size = int(line)
            if size < 0:
                return None, after
            if len(data) < after + size + 2:
                raise _Incomplete
            return data[after : after + size], after + size + 2
        case b"*":
            values = []
            for _ in range(int(line)):
                value, after = _answer(data, after)
                values.append(value)
            return values, after
    raise ValueError("not an answer")
