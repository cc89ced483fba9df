"""Disconnect clients that read too slowly, and WebSockets with too long unfinished messages."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.infrastructure.limits.connections import (
    Connection,
    ConnectionTable,
    Peer,
    Traffic,
    read_traffic,
    reset,
)
from apps.infrastructure.logging import get_logger
from apps.infrastructure.web.asgi import Receive, Scope, Send

log = get_logger(__name__)

MAX_OPEN_FILES = 65_536
MIN_OPEN_FILES = 16_384
"""Enough for the connections that the server accepts and those of our own."""
SLOW_READER_SECONDS = 2.0
"""How often slow readers are looked for."""
MIN_BYTES_PER_SECOND = 1000
SECONDS_PER_SOCKET = 0.001
MIN_SOCKET_SECONDS = 0.1
"""WebSockets are looked at that often, or less often the more there are."""
CONTROL_BYTES_PER_SECOND = 250
"""Pings and pongs reach no application. So much of what arrives may be them."""


def watch_connections(lifespan: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Watch the connections of the process from its start to its end."""

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        raise_file_limit()
        tasks = [asyncio.create_task(watch()) for watch in (_watch_readers, unfinished.watch)]
        try:
            await lifespan(scope, receive, send)
        finally:
            for task in tasks:
                task.cancel()

    return watched


def raise_file_limit() -> None:
    """Allow this process as many connections as the system does, up to MAX_OPEN_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < MIN_OPEN_FILES:
        log.warning("few_open_files", limit=wanted, needed=MIN_OPEN_FILES)


# Slow readers


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a connection had acknowledged at a time, and what it was still to acknowledge then."""

    at: float
    acknowledged: int
    target: int


class SlowReaders:
    """Finds connections that have taken too little of what waits for them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._marks: dict[Connection, _Mark] = {}

    def find(self, traffic: Mapping[Connection, Traffic], now: float) -> list[Connection]:
        """Return those that, within the time, took neither all that waited nor enough of it."""
        marks: dict[Connection, _Mark] = {}
        slow = []
        for connection, state in traffic.items():
            if not state.pending:
                continue
            mark = self._marks.get(connection)
            if mark is None or state.acknowledged >= mark.target:
                mark = _Mark(now, state.acknowledged, state.acknowledged + state.pending)
            elif now - mark.at >= self._seconds:
                taken = state.acknowledged - mark.acknowledged
                if taken < MIN_BYTES_PER_SECOND * (now - mark.at):
                    slow.append(connection)
                mark = _Mark(now, state.acknowledged, state.acknowledged + state.pending)
            marks[connection] = mark
        self._marks = marks
        return slow


async def _watch_readers() -> None:
    table, readers = ConnectionTable(), SlowReaders(settings.SEND_SECONDS)
    while True:
        await asyncio.sleep(min(SLOW_READER_SECONDS, settings.SEND_SECONDS / 4))
        traffic = await asyncio.to_thread(_read_all, table)
        for connection in readers.find(traffic, time.monotonic()):
            log.info("slow_reader", peer=connection.peer[0])
            reset(connection)


def _read_all(table: ConnectionTable) -> dict[Connection, Traffic]:
    traffic = {connection: read_traffic(connection) for connection in table.read()}
    return {connection: state for connection, state in traffic.items() if state}


# Unfinished messages


@dataclass(eq=False, slots=True)
class IncomingMessages:
    """A WebSocket's messages. `count`: how many have arrived whole.

    `on_too_long` is called when an unfinished one is too long.
    """

    peer: Peer
    on_too_long: Callable[[], None] | None = None
    count: int = 0
    connection: Connection | None = None
    counted: int = -1
    counted_at: float = 0.0
    counted_bytes: int = 0

    def unfinished_bytes(self, received: int, now: float) -> int:
        """How long the message is that has not arrived whole, given all bytes of the connection."""
        if self.count != self.counted:
            self.counted, self.counted_at, self.counted_bytes = self.count, now, received
        control_bytes = int(CONTROL_BYTES_PER_SECOND * (now - self.counted_at))
        return received - self.counted_bytes - control_bytes


class UnfinishedMessages:
    """The messages that the WebSockets of this process are receiving.

    One may be twice as long as a message may be, as it is only judged from time to time; together
    they may be MAX_UNFINISHED_MESSAGE_BYTES, beyond which the longest have to go.
    """

    def __init__(self) -> None:
        self._sockets: set[IncomingMessages] = set()
        self._table = ConnectionTable()

    def add(self, socket: IncomingMessages) -> None:
        """Watch a socket."""
        self._sockets.add(socket)

    def remove(self, socket: IncomingMessages) -> None:
        """Stop watching a socket."""
        self._sockets.discard(socket)

    async def watch(self) -> None:
        """Look at all sockets, again and again."""
        while True:
            seconds = SECONDS_PER_SOCKET * len(self._sockets)
            await asyncio.sleep(max(MIN_SOCKET_SECONDS, seconds))
            if self._sockets:
                sizes = await asyncio.to_thread(self._measure, list(self._sockets))
                for socket in too_long(sizes):
                    if socket.on_too_long:
                        socket.on_too_long()

    def _measure(self, sockets: list[IncomingMessages]) -> dict[IncomingMessages, int]:
        if any(socket.connection is None for socket in sockets):
            by_peer: dict[Any, Connection] = {one.peer: one for one in self._table.read()}
            for socket in sockets:
                socket.connection = socket.connection or by_peer.get(socket.peer)
        now = time.monotonic()
        sizes: dict[IncomingMessages, int] = {}
        for socket in sockets:
            if socket.connection and (state := read_traffic(socket.connection)):
                sizes[socket] = socket.unfinished_bytes(state.received, now)
        return sizes


def too_long(sizes: Mapping[IncomingMessages, int]) -> list[IncomingMessages]:
    """Return the sockets whose messages are too long, alone or together with the others."""
    found = []
    total = sum(size for size in sizes.values() if size > 0)
    for socket, size in sorted(sizes.items(), key=lambda item: -item[1]):
        is_over = total > settings.MAX_UNFINISHED_MESSAGE_BYTES
        if size <= 2 * settings.API_MAX_BODY_BYTES and not (is_over and size > 0):
            break
        found.append(socket)
        total -= size
    return found


unfinished = UnfinishedMessages()
