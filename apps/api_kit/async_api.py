"""The short way to an async view, for the endpoints on which the speed of the product hangs.

Django's way to a view makes two tasks and up to four hops to threads a request: signals that look
after connections of the request's thread, DRF's checks, rendering, logging. A lean view has no
use for any of it: it speaks to the database by `core.database` and `core.threads` alone, and has
no authenticators, permissions, throttles or versions of DRF's. It keeps DRF's parsers,
serializers, negotiation, exceptions and responses, and the API's middleware.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from io import BytesIO
from typing import Any, cast

from adrf.views import APIView
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, get_resolver
from django.utils.module_loading import import_string
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from apps.infrastructure.web.asgi import Receive, Scope, Send
from apps.infrastructure.web.thread_pool import ThreadPoolASGIHandler


class IgnoreAcceptHeader(BaseContentNegotiation):
    """Answer in JSON or SSE as the body asks, whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class EventStreamResponse(StreamingHttpResponse):
    """A stream whose pieces go to the server as they are, each as soon as it is there."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(pieces, **options)
        self.chunks = pieces


class AsyncApiView(APIView):  # type: ignore[misc]
    """adrf's view, dispatched in the event loop from beginning to end. Its methods are async."""

    view_is_async = True
    content_negotiation_class = IgnoreAcceptHeader
    default_response_headers: dict[str, str] = {}
    format_kwarg = None

    async def async_dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """The answer to a request, rendered."""
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        self.args, self.kwargs = args, kwargs
        self.headers: dict[str, str] = {}
        try:
            asked.accepted_renderer, asked.accepted_media_type = self.perform_content_negotiation(
                asked
            )
            method = (request.method or "").lower()
            answer = self.http_method_not_allowed  # raises
            if method in self.http_method_names:
                answer = getattr(self, method, answer)
            response = await answer(asked, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        response = self.finalize_response(asked, response, *args, **kwargs)
        return cast(
            HttpResponseBase, response.render() if isinstance(response, Response) else response
        )


class ApiASGIHandler(ThreadPoolASGIHandler):
    """Django with the few middlewares that the API needs: no session, CSRF or messages. Requests
    for lean views go the short way, all others Django's."""

    def load_middleware(self, is_async: bool = True) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = _build_middleware_chain(self._get_response_async)  # type: ignore[attr-defined]
        self._async_view_chain = _build_middleware_chain(_call_view)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        match = _resolve_async_view(scope["path"])
        if match is None:
            await super().__call__(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        request, refusal = self.create_request(scope, BytesIO(body))
        if request is None:
            await self.send_response(cast(HttpResponseBase, refusal), send)
            return
        request.resolver_match = match
        response = await self._async_view_chain(request)
        if isinstance(response, EventStreamResponse):
            await _stream_until_disconnect(response, receive, send)
        else:
            await self.send_response(response, send)


async def _stream_until_disconnect(
    response: EventStreamResponse, receive: Receive, send: Send
) -> None:
    """Send a stream to its end, or until its reader leaves."""
    sending = asyncio.create_task(_send_chunks(response, send))
    leaving = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        ended = await asyncio.gather(sending, leaving, return_exceptions=True)
    if isinstance(ended[0], Exception):
        raise ended[0]


async def _send_chunks(response: EventStreamResponse, send: Send) -> None:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async with aclosing(response.chunks) as pieces:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def _build_middleware_chain(handler: Any) -> Any:
    handler = convert_exception_to_response(handler)
    for name in reversed(settings.API_MIDDLEWARE):
        handler = convert_exception_to_response(import_string(name)(handler))
    return handler


async def _call_view(request: HttpRequest) -> HttpResponseBase:
    match = cast(ResolverMatch, request.resolver_match)
    return cast(HttpResponseBase, await match.func(request, *match.args, **match.kwargs))


@functools.lru_cache(maxsize=4096)
def _resolve_async_view(path: str) -> ResolverMatch | None:
    """Where an address leads, if that is a lean view."""
    try:
        match = get_resolver(settings.ROOT_URLCONF).resolve(path)
    except Resolver404:
        return None
    view = getattr(match.func, "cls", None)
    return match if isinstance(view, type) and issubclass(view, AsyncApiView) else None


async def _read_body(receive: Receive) -> bytes | None:
    """The request's body; None if its sender left before its end."""
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        return cast(bytes, message.get("body", b""))
    pieces = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        pieces.append(message.get("body", b""))
    return None if message["type"] == "http.disconnect" else b"".join(pieces)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
