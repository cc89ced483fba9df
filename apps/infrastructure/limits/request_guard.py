"""Check each request before anything else does: its address, and its body as it arrives.

A body is read completely before the application runs, so a client that sends slowly holds some
memory of ours and nothing else: no thread, no file, no database connection. A file that is uploaded
is held on disk (`uploads`).
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from django.conf import settings

from apps.core.errors import ApiError, UrlTooLong
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.limits.arriving_bodies import ArrivingBodies
from apps.infrastructure.limits.uploads import Uploads, find_upload_address
from apps.infrastructure.web.asgi import Application, Receive, Scope, Send, send_error

_METHODS_WITHOUT_BODY = ("GET", "HEAD")
_FORM_PREFIXES = ("/w/", "/admin/")


def guard_requests(application: Application) -> Application:
    """Pass on requests with the whole body at hand; refuse those that are too long or too slow."""
    bodies, uploads = PerLoop(_new_bodies), PerLoop(Uploads)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if is_url_too_long(scope):
            await send_error(scope, send, UrlTooLong())
        elif not _has_body(scope):
            await application(scope, receive, send)
        elif address := find_upload_address(scope):
            await uploads.get().serve(address, application, scope, receive, send)
        else:
            max_bytes = _max_body_bytes(scope["path"])
            body = await bodies.get().read(scope, receive, max_bytes=max_bytes)
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


def _new_bodies() -> ArrivingBodies:
    return ArrivingBodies(
        max_bytes=settings.MAX_UNFINISHED_BODY_BYTES, max_seconds=settings.BODY_MAX_SECONDS
    )


def _max_body_bytes(path: str) -> int:
    if path.startswith("/api/"):
        return int(settings.API_MAX_BODY_BYTES)
    if path.startswith(_FORM_PREFIXES):
        return int(settings.FORM_MAX_BODY_BYTES)
    return int(settings.PAGE_MAX_BODY_BYTES)


def _has_body(scope: Scope) -> bool:
    if scope["method"] not in _METHODS_WITHOUT_BODY:
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


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
