"""Check each request before anything else does: its address, and its body as it arrives.

A body is read completely before the application runs, so a client that sends slowly holds some
memory of ours and nothing else: no thread, no file, no database connection.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.core.errors import (
    ApiError,
    PayloadTooLarge,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    UrlTooLong,
)
from apps.infrastructure.concurrency.counting import CountByKey
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_error
from apps.infrastructure.web.client_address import scope_client

LOOK_SECONDS = 0.1
"""How often bodies that take longer are judged."""

_METHODS_WITHOUT_BODY = ("GET", "HEAD")
_FORM_PREFIXES = ("/w/", "/admin/")
_TOO_MANY = "Your address is still sending many other requests. Please wait a moment."


def guard_requests(application: Application) -> Application:
    """Pass on requests with the whole body at hand; refuse those that are too long or too slow."""
    bodies = PerLoop(ArrivingBodies)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if is_url_too_long(scope):
            await send_error(scope, send, UrlTooLong())
        elif not _has_body(scope):
            await application(scope, receive, send)
        else:
            body = await bodies.get().read(scope, receive)
            if isinstance(body, ApiError):
                await send_error(scope, send, body)
            elif body is not None:
                receive, body = _receive_again(body, receive), None  # from now on the application's
                await application(scope, receive, send)

    return guarded


def is_url_too_long(scope: Scope) -> bool:
    """Whether path and query are longer than MAX_URL_BYTES together."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return len(path) + len(scope["query_string"]) > int(settings.MAX_URL_BYTES)


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

    Most arrive with their headers, so there is one timer for all of them: two for each would cost
    more than the rest of the guard. Those that take longer than BODY_SLOW_AFTER_SECONDS are counted
    by client, and refused beyond a number of them.
    """

    def __init__(self) -> None:
        self._arrivals: dict[_Arrival, None] = {}  # in their order
        self._slow = CountByKey()
        self._unfinished_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, scope: Scope, receive: Receive) -> bytes | ApiError | None:
        """Return the whole body, or why it is refused; None if the client disconnects before.

        The error is PayloadTooLarge, RequestTimeout, TooManyRequests or ServiceUnavailable. It is
        not raised: its traceback would keep the connection open until the next garbage collection.
        """
        max_bytes = _max_body_bytes(scope["path"])
        if _content_length(scope) > max_bytes:
            return PayloadTooLarge()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs each request in a task
        arrival = _Arrival(scope, task, self._loop.time())
        self._arrivals[arrival] = None
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        try:
            return await self._receive_all(arrival, receive, max_bytes)
        except asyncio.CancelledError:
            if arrival.refusal is None or task.uncancel():
                raise  # cancelled by somebody else
            return arrival.refusal
        finally:
            del self._arrivals[arrival]
            self._unfinished_bytes -= arrival.size
            if arrival.slow_client is not None:
                self._slow.remove(arrival.slow_client)

    async def _receive_all(
        self, arrival: _Arrival, receive: Receive, max_bytes: int
    ) -> bytes | ApiError | None:
        chunks: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            arrival.size += len(chunks[-1])
            self._unfinished_bytes += len(chunks[-1])
            if arrival.size > max_bytes:
                return PayloadTooLarge()
            if not message.get("more_body", False):
                return b"".join(chunks)
            if self._unfinished_bytes > settings.MAX_UNFINISHED_BODY_BYTES:
                largest = self._largest()
                if largest is arrival:
                    return ServiceUnavailable()
                largest.give_up(ServiceUnavailable())
                self._unfinished_bytes -= largest.size
                largest.size = 0

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
            elif seconds > _allowed_seconds(arrival.size):
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


def _max_body_bytes(path: str) -> int:
    if path.startswith("/api/"):
        return int(settings.API_MAX_BODY_BYTES)
    if path.startswith(_FORM_PREFIXES):
        return int(settings.FORM_MAX_BODY_BYTES)
    return int(settings.PAGE_MAX_BODY_BYTES)


def _allowed_seconds(size: int) -> float:
    """How long a body may have taken when this many bytes have arrived."""
    seconds = settings.BODY_FIRST_SECONDS + size / settings.BODY_MIN_BYTES_PER_SECOND
    return min(float(seconds), float(settings.BODY_MAX_SECONDS))


def _has_body(scope: Scope) -> bool:
    if scope["method"] not in _METHODS_WITHOUT_BODY:
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _receive_again(body: bytes, receive: Receive) -> Receive:
    """Let an application receive the body. It is not kept: the request may last long."""
    unread: bytes | None = body

    def receive_body() -> Awaitable[Mapping[str, Any]]:
        nonlocal unread
        if unread is None:
            return receive()
        message, unread = {"type": "http.request", "body": unread, "more_body": False}, None
        return _return(message)

    return receive_body


async def _return(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return message
