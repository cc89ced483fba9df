"""Check each request before anything else does: its address, and its body as it arrives.

A body is read completely before the application runs, so a client that sends slowly holds some
memory of ours and nothing else: no thread, no file, no database connection.
"""

import asyncio
from collections.abc import Mapping
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
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_error
from apps.infrastructure.web.client_address import scope_client

_METHODS_WITHOUT_BODY = ("GET", "HEAD")
_FORM_PREFIXES = ("/w/", "/admin/")
_TOO_MANY = "Your address is still sending many other requests. Please wait a moment."


def guard_requests(application: Application) -> Application:
    """Pass on requests with the whole body at hand; refuse those that are too long or too slow."""
    bodies = ArrivingBodies()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if is_url_too_long(scope):
            await send_error(scope, send, UrlTooLong())
        elif not _has_body(scope):
            await application(scope, receive, send)
        else:
            body = await bodies.read(scope, receive)
            if isinstance(body, ApiError):
                await send_error(scope, send, body)
            elif body is not None:
                await application(scope, _receive_again(body, receive), send)

    return guarded


def is_url_too_long(scope: Scope) -> bool:
    """Whether path and query are longer than MAX_URL_BYTES together."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return len(path) + len(scope["query_string"]) > int(settings.MAX_URL_BYTES)


@dataclass(slots=True)
class _Arrival:
    """A body on its way. `refusal`: why the process gave up waiting for it."""

    scope: Scope
    timer: asyncio.Timeout
    refusal: ApiError
    slow_client: str | None = None


class ArrivingBodies:
    """The bodies that this process waits for.

    Most arrive with their headers. Those that take longer than BODY_SLOW_AFTER_SECONDS are counted
    by client, and refused beyond a number of them.
    """

    def __init__(self) -> None:
        self._slow = CountByKey()
        self._unfinished_bytes = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes | ApiError | None:
        """Return the whole body, or why it is refused; None if the client disconnects before.

        The error is PayloadTooLarge, RequestTimeout, TooManyRequests or ServiceUnavailable. It is
        not raised: its traceback would keep the connection open until the next garbage collection.
        """
        max_bytes = _max_body_bytes(scope["path"])
        if _content_length(scope) > max_bytes:
            return PayloadTooLarge()
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        timer = asyncio.timeout_at(started_at + settings.BODY_FIRST_SECONDS)
        arrival = _Arrival(scope, timer, RequestTimeout())
        slow = loop.call_later(settings.BODY_SLOW_AFTER_SECONDS, self._on_slow, arrival)
        chunks: list[bytes] = []
        size = 0
        try:
            async with timer:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    self._unfinished_bytes += len(chunks[-1])
                    if size > max_bytes:
                        return PayloadTooLarge()
                    if not message.get("more_body", False):
                        return b"".join(chunks)
                    if self._unfinished_bytes > settings.MAX_UNFINISHED_BODY_BYTES:
                        return ServiceUnavailable()
                    timer.reschedule(started_at + _allowed_seconds(size))
        except TimeoutError:
            return arrival.refusal
        finally:
            slow.cancel()
            self._unfinished_bytes -= size
            if arrival.slow_client is not None:
                self._slow.remove(arrival.slow_client)

    def _on_slow(self, arrival: _Arrival) -> None:
        client = scope_client(arrival.scope)
        if self._slow[client] >= settings.MAX_SLOW_BODIES_PER_CLIENT:
            arrival.refusal = TooManyRequests(1, _TOO_MANY)
        elif self._slow.total >= settings.MAX_SLOW_BODIES:
            arrival.refusal = ServiceUnavailable()
        else:
            self._slow.add(client)
            arrival.slow_client = client
            return
        arrival.timer.reschedule(asyncio.get_running_loop().time())


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
    message: Mapping[str, Any] = {"type": "http.request", "body": body, "more_body": False}
    is_read = False

    async def receive_body() -> Mapping[str, Any]:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return message

    return receive_body
