"""What stands between the server and Django."""

from __future__ import annotations

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
    """Send addresses that begin with the prefix to one application, the rest to another."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = application if scope["path"].startswith(prefix) else otherwise
        await chosen(scope, receive, send)

    return choose


def limit_body_size(application: Application) -> Application:
    """Answer 413 to a body over the limit of the settings, before it fills memory or disk."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        most = settings.API_MAX_BODY_BYTES
        if _announced(scope) > most:
            await _refuse(scope, send)
            return
        taken = 0
        refused = False

        async def counted() -> Mapping[str, Any]:
            nonlocal taken, refused
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most and not refused:
                refused = True
                await _refuse(scope, send)
            return {"type": "http.disconnect"} if refused else message

        await application(scope, counted, send)

    return limited


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(scope: Scope, send: Send) -> None:
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
