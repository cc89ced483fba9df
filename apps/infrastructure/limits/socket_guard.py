"""Limit the WebSockets of a process: by client, by API key or person, and all together."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.core.errors import ApiError, ServiceUnavailable, TooManyRequests, UrlTooLong
from apps.infrastructure.concurrency.counting import CountByKey
from apps.infrastructure.limits.connection_watch import IncomingMessages, unfinished
from apps.infrastructure.limits.request_guard import is_url_too_long
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_error
from apps.infrastructure.web.client_address import scope_client

RETRY_SECONDS = 30
_OF_CLIENT = "Your address has too many open WebSockets. Close some before you open others."
_OF_KEY = "You have too many open WebSockets. Close some before you open others."


def guard_sockets(application: Application) -> Application:
    """Refuse sockets beyond the limits with 429 or 503, before the handshake.

    The application finds its SocketSlot in the scope, as `slot`.
    """
    sockets = SocketLimits()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if is_url_too_long(scope):
                raise UrlTooLong
            slot = sockets.open(scope)
        except ApiError as error:
            await receive()
            await send_error(scope, send, error)
            return

        async def receive_counted() -> Mapping[str, Any]:
            message = await receive()
            slot.messages.count += 1
            return message

        unfinished.add(slot.messages)
        try:
            await application({**scope, "slot": slot}, receive_counted, send)
        finally:
            unfinished.remove(slot.messages)
            slot.close()

    return guarded


class SocketLimits:
    """How many sockets are open in this process."""

    def __init__(self) -> None:
        self.opening = CountByKey()
        self.clients = CountByKey()
        self.keys = CountByKey()

    def open(self, scope: Scope) -> "SocketSlot":
        """Count a new socket. Raises TooManyRequests or ServiceUnavailable."""
        client = scope_client(scope)
        if self.clients.total >= settings.MAX_SOCKETS:
            raise ServiceUnavailable
        if (
            self.clients[client] >= settings.MAX_SOCKETS_PER_CLIENT
            or self.opening[client] >= settings.MAX_OPENING_SOCKETS_PER_CLIENT
        ):
            raise TooManyRequests(RETRY_SECONDS, _OF_CLIENT)
        address, port = scope.get("client") or ("", 0)
        return SocketSlot(self, client, IncomingMessages((address, int(port))))


class SocketSlot:
    """One socket's share of the limits. `messages`: what arrives on it."""

    def __init__(self, limits: SocketLimits, client: str, messages: IncomingMessages) -> None:
        self.messages = messages
        self._limits = limits
        self._client = client
        self._key: str | None = None
        self._is_opening = True
        limits.clients.add(client)
        limits.opening.add(client)

    def identify(self, key: str) -> None:
        """Count the socket for an API key or a person. Raises TooManyRequests."""
        if self._limits.keys[key] >= settings.MAX_SOCKETS_PER_KEY:
            raise TooManyRequests(RETRY_SECONDS, _OF_KEY)
        self._key = key
        self._limits.keys.add(key)

    def opened(self) -> None:
        """Note that the socket is authenticated."""
        if self._is_opening:
            self._is_opening = False
            self._limits.opening.remove(self._client)

    def close(self) -> None:
        """Give the share back."""
        # Otherwise the slot and the socket's connection would keep each other, and so the
        # connection open, until the next garbage collection.
        self.messages.on_too_long = None
        self.opened()
        self._limits.clients.remove(self._client)
        if self._key is not None:
            self._limits.keys.remove(self._key)
