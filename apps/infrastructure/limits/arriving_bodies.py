"""Bodies on their way: how long they may take, and how much of them a process holds."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.core.errors import (
    ApiError,
    PayloadTooLarge,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
)
from apps.infrastructure.concurrency.counting import CountByKey
from apps.infrastructure.web.asgi import Receive, Scope
from apps.infrastructure.web.client_address import scope_client

LOOK_SECONDS = 0.1
"""How often bodies that take longer are judged."""

_TOO_MANY = "Your address is still sending many other requests. Please wait a moment."


@dataclass(eq=False, slots=True)
class _Arrival:
    """A body on its way. `refusal`: why the process gave up waiting for it."""

    scope: Scope
    task: asyncio.Task[Any]
    started_at: float
    size: int = 0
    slow_client: str | None = None
    refusal: ApiError | None = None

    def give_up(self, refusal: ApiError) -> None:
        self.refusal = refusal
        self.task.cancel()


class ArrivingBodies:
    """The bodies that this process waits for. For one event loop.

    `max_bytes`: all of them together; `max_seconds`: each of them.

    Most arrive with their headers, so there is one timer for all of them: two for each would cost
    more than the rest of the guard. Those that take longer than BODY_SLOW_AFTER_SECONDS are counted
    by client, and refused beyond a number of them.
    """

    def __init__(self, *, max_bytes: int, max_seconds: float) -> None:
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._arrivals: dict[_Arrival, None] = {}  # in their order
        self._slow = CountByKey()
        self._held_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def read(
        self, scope: Scope, receive: Receive, *, max_bytes: int
    ) -> bytes | ApiError | None:
        """Return the whole body, or why it is refused; None if the client disconnects before.

        The error is PayloadTooLarge, RequestTimeout, TooManyRequests or ServiceUnavailable. It is
        not raised: its traceback would keep the connection open until the next garbage collection.
        """
        chunks: list[bytes] = []
        outcome = await self.write(scope, receive, to=chunks.append, max_bytes=max_bytes)
        return b"".join(chunks) if outcome is True else outcome or None

    async def write(
        self, scope: Scope, receive: Receive, *, to: Callable[[bytes], Any], max_bytes: int
    ) -> bool | ApiError:
        """Write the body as it arrives. Return whether it has arrived, or why it is refused.

        False: the client has disconnected before. The errors are those of `read`.
        """
        if _content_length(scope) > max_bytes:
            return PayloadTooLarge()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs each request in a task
        arrival = _Arrival(scope, task, self._loop.time())
        self._arrivals[arrival] = None
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        try:
            return await self._write_all(arrival, receive, to, max_bytes)
        except asyncio.CancelledError:
            if arrival.refusal is None or task.uncancel():
                raise  # cancelled by somebody else
            return arrival.refusal
        finally:
            del self._arrivals[arrival]
            self._held_bytes -= arrival.size
            if arrival.slow_client is not None:
                self._slow.remove(arrival.slow_client)

    async def _write_all(
        self, arrival: _Arrival, receive: Receive, to: Callable[[bytes], Any], max_bytes: int
    ) -> bool | ApiError:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            chunk: bytes = message.get("body", b"")
            arrival.size += len(chunk)
            self._held_bytes += len(chunk)
            if arrival.size > max_bytes:
                return PayloadTooLarge()
            to(chunk)
            if not message.get("more_body", False):
                return True
            if self._held_bytes > self._max_bytes:
                largest = self._largest()
                if largest is arrival:
                    return ServiceUnavailable()
                largest.give_up(ServiceUnavailable())
                self._held_bytes -= largest.size
                largest.size = 0

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Count a body that has arrived while it is still held."""
        self._held_bytes += size
        try:
            yield
        finally:
            self._held_bytes -= size

    def _largest(self) -> _Arrival:
        """The largest body of the client that sends most: others are not refused for its sake."""
        bytes_of: Counter[str] = Counter()
        for arrival in self._arrivals:
            bytes_of[scope_client(arrival.scope)] += arrival.size
        [(client, _)] = bytes_of.most_common(1)
        of_client = (each for each in self._arrivals if scope_client(each.scope) == client)
        return max(of_client, key=lambda arrival: arrival.size)

    def _look(self) -> None:
        """Judge the bodies that are still arriving, and look again while there are any."""
        self._timer = None
        now = self._loop.time()
        for arrival in self._arrivals:
            seconds = now - arrival.started_at
            if arrival.refusal is not None:
                continue
            if seconds > settings.BODY_SLOW_AFTER_SECONDS and arrival.slow_client is None:
                self._count_slow(arrival)
            elif seconds > self._allowed_seconds(arrival.size):
                arrival.give_up(RequestTimeout())
        if self._arrivals:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def _count_slow(self, arrival: _Arrival) -> None:
        client = scope_client(arrival.scope)
        if self._slow[client] >= settings.MAX_SLOW_BODIES_PER_CLIENT:
            arrival.give_up(TooManyRequests(1, _TOO_MANY))
        elif self._slow.total >= settings.MAX_SLOW_BODIES:
            arrival.give_up(ServiceUnavailable())
        else:
            self._slow.add(client)
            arrival.slow_client = client

    def _allowed_seconds(self, size: int) -> float:
        """How long a body may have taken when this many bytes have arrived."""
        seconds = settings.BODY_FIRST_SECONDS + size / settings.BODY_MIN_BYTES_PER_SECOND
        return min(float(seconds), self._max_seconds)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
