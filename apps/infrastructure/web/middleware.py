"""What every request gets: an id, a log line, and headers that forbid guessing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from ipaddress import ip_address
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from apps.core.ids import new_request_id
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

Respond = Callable[[HttpRequest], HttpResponseBase]
RespondAsync = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def request_id(get_response: Any) -> Any:
    """Give each request an id of its own: in its log lines, and on its answer as X-Request-Id."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            began = _begin(request)
            return _end(request, await cast(RespondAsync, get_response)(request), began)

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        began = _begin(request)
        return _end(request, cast(Respond, get_response)(request), began)

    return respond


def _begin(request: HttpRequest) -> float:
    request.request_id = new_request_id()  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=get_request_id(request))
    return time.perf_counter()


def _end(request: HttpRequest, response: HttpResponseBase, began: float) -> HttpResponseBase:
    response["X-Request-Id"] = get_request_id(request)
    if is_api_request(request):
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.SECURE_HSTS_SECONDS:
            seconds = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
            response.headers.setdefault("Strict-Transport-Security", seconds)
    log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round((time.perf_counter() - began) * 1000, 1),
    )
    return response


def get_request_id(request: HttpRequest) -> str:
    """The id given to this request."""
    return cast(str, getattr(request, "request_id", ""))


def client_ip(request: HttpRequest) -> str | None:
    """The address that the request came from; None where it is not known.

    Each of our own proxies (TRUSTED_PROXIES) appends the address that it was called from, so that
    what a caller writes into X-Forwarded-For stands too far left to be believed.
    """
    given = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.TRUSTED_PROXIES and forwarded:
        given = forwarded.split(",")[-settings.TRUSTED_PROXIES :][0]
    try:
        return str(ip_address(given.strip()))
    except ValueError:
        return None


def is_api_request(request: HttpRequest) -> bool:
    """Whether the caller is a program, to be answered in JSON whatever happens."""
    return request.path.startswith("/api/")
