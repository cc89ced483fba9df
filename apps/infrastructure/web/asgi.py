"""ASGI types, routing by path, and responses without Django."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from apps.core.errors import ApiError
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


ErrorFormat = Callable[[ApiError], Any]
"""Error → the JSON object of its response."""

_error_formats: list[tuple[re.Pattern[str], ErrorFormat]] = []


def register_error_format(paths: str, error_format: ErrorFormat) -> None:
    """Send errors of these paths, a regular expression, in the format of another protocol.

    Called by the app of the protocol when Django starts.
    """
    _error_formats.append((re.compile(paths), error_format))


def _error_body(path: str, error: ApiError) -> Any:
    formats = (each for paths, each in _error_formats if paths.search(path))
    error_format = next(formats, None)
    return error_format(error) if error_format else error.body()


async def send_error(scope: Scope, send: Send, error: ApiError) -> None:
    """Respond with an error, as JSON in the API and as text elsewhere, and close the connection."""
    is_api = scope["path"].startswith("/api/")
    body = json.dumps(_error_body(scope["path"], error)) if is_api else f"{error.message}\n"
    content_type = "application/json" if is_api else "text/plain; charset=utf-8"
    headers = {**error.headers(), "Connection": "close"}
    await send_response(scope, send, error.status, body.encode(), content_type, headers)


async def send_response(
    scope: Scope,
    send: Send,
    status: int,
    body: bytes,
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send and log a response that Django has no part in. Works for refused WebSockets, too."""
    request_id = new_request_id()
    all_headers = {
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": request_id,
        **(headers or {}),
    }
    log.info(
        "request",
        request_id=request_id,
        method=scope.get("method", "WebSocket"),
        path=scope["path"],
        status=status,
    )
    prefix = "websocket." if scope["type"] == "websocket" else ""
    encoded = [(n.lower().encode(), v.encode("latin-1")) for n, v in all_headers.items()]
    start = {"type": f"{prefix}http.response.start", "status": status, "headers": encoded}
    await send(start)
    await send({"type": f"{prefix}http.response.body", "body": body})
