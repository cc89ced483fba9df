"""Middleware for every request: its id, its log line and security headers for the API."""

import time
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from apps.core.ids import new_request_id
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)


def response_middleware(change: Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]) -> Any:
    """Make a middleware that passes each response to `change`, in threads and event loops."""

    @sync_and_async_middleware
    def middleware(get_response: Any) -> Any:
        if iscoroutinefunction(get_response):

            async def respond_async(request: HttpRequest) -> HttpResponseBase:
                return change(request, await get_response(request))

            return respond_async
        return lambda request: change(request, get_response(request))

    return middleware


@sync_and_async_middleware
def request_id(get_response: Any) -> Any:
    """Give each request an id, in its log lines and as X-Request-Id in the response."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            started_at = _begin(request)
            return _end(request, await get_response(request), started_at)

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        started_at = _begin(request)
        return _end(request, get_response(request), started_at)

    return respond


def _begin(request: HttpRequest) -> float:
    request.request_id = new_request_id()  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=get_request_id(request))
    return time.perf_counter()


def _end(request: HttpRequest, response: HttpResponseBase, started_at: float) -> HttpResponseBase:
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
        ms=round((time.perf_counter() - started_at) * 1000, 1),
    )
    return response


def get_request_id(request: HttpRequest) -> str:
    """Return the id of this request."""
    return cast(str, getattr(request, "request_id", ""))


def is_api_request(request: HttpRequest) -> bool:
    """Whether the request is for the API, so that errors are JSON."""
    return request.path.startswith("/api/")
