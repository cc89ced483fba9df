"""ASGI wrappers between the server and Django."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

from apps.core.errors import PayloadTooLarge
from apps.core.ids import new_request_id
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def route_by_prefix(
    prefix: str, application: Application, *, otherwise: Application
) -> Application:
    """Route paths that begin with the prefix to one application, the rest to another."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = application if scope["path"].startswith(prefix) else otherwise
        await chosen(scope, receive, send)

    return route


def limit_body_size(application: Application) -> Application:
    """Respond 413 to a body over API_MAX_BODY_BYTES before it fills memory or disk."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        max_bytes = settings.API_MAX_BODY_BYTES
        if _content_length(scope) > max_bytes:
            await _send_too_large(scope, send)
            return
        received = 0
        is_refused = False

        async def receive_counted() -> Mapping[str, Any]:
            nonlocal received, is_refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes and not is_refused:
                is_refused = True
                await _send_too_large(scope, send)
            return {"type": "http.disconnect"} if is_refused else message

        await application(scope, receive_counted, send)

    return limited


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _send_too_large(scope: Scope, send: Send) -> None:
    error, request_id = PayloadTooLarge(), new_request_id()
    body = json.dumps(error.body()).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),
        (b"x-request-id", request_id.encode()),
    ]
    log.info(
        "request",
        request_id=request_id,
        method=scope["method"],
        path=scope["path"],
        status=error.status,
    )
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
