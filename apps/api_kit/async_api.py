"""Serve async API views in the event loop, without Django's threads: for the chat endpoints.

Django's ASGI handler makes two tasks and up to four thread hops for a request: signals that manage
the connections of the request's thread, DRF's checks, rendering, logging. An AsyncApiView needs
none of them: it reaches the database only through `infrastructure.postgres`, and uses no DRF
authenticators, permissions, throttles or versioning. It keeps DRF's parsers, serializers,
exceptions and responses, and the API's middleware.
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
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

from apps.infrastructure.concurrency.counting import CountByKey
from apps.infrastructure.logging import get_logger
from apps.infrastructure.web.asgi import Receive, Scope, Send
from apps.infrastructure.web.thread_pool import ThreadPoolASGIHandler

log = get_logger(__name__)

_MAX_CACHED_PATH_LENGTH = 250


class IgnoreAcceptHeader(BaseContentNegotiation):
    """Let the request body choose between JSON and SSE, whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


open_streams = CountByKey()
"""The streams of this process, by whom they are for."""


class EventStreamResponse(StreamingHttpResponse):
    """A stream whose chunks are sent one by one, as soon as each is available.

    `reader`: whom it is counted for among `open_streams`.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], *, reader: str, **options: Any) -> None:
        super().__init__(chunks, **options)
        self.chunks = chunks
        self.reader = reader


class AsyncApiView(APIView):  # type: ignore[misc]
    """adrf's APIView with a dispatch that stays in the event loop. Its methods are async."""

    view_is_async = True
    content_negotiation_class = IgnoreAcceptHeader
    default_response_headers: dict[str, str] = {}
    format_kwarg = None

    async def async_dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        self.request = drf_request = self.initialize_request(request, *args, **kwargs)
        self.args, self.kwargs = args, kwargs
        self.headers: dict[str, str] = {}
        try:
            renderer, media_type = self.perform_content_negotiation(drf_request)
            drf_request.accepted_renderer = renderer
            drf_request.accepted_media_type = media_type
            method = (request.method or "").lower()
            handler = self.http_method_not_allowed  # raises
            if method in self.http_method_names:
                handler = getattr(self, method, handler)
            response = await handler(drf_request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        response = self.finalize_response(drf_request, response, *args, **kwargs)
        if isinstance(response, Response):
            response.render()
        drf_request.parser_context = {}  # refers to this view and the request itself: a cycle
        return cast(HttpResponseBase, response)


class ApiASGIHandler(ThreadPoolASGIHandler):
    """Django's handler with only the middleware that the API needs (settings.API_MIDDLEWARE).

    Requests for an AsyncApiView are served in the event loop, all others in a thread.
    """

    def load_middleware(self, is_async: bool = True) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = _build_middleware_chain(self._get_response_async)  # type: ignore[attr-defined]
        self._async_view_chain = _build_middleware_chain(_call_view)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _resolve_async_view(scope["path"])
        if match is None:
            await super().__call__(scope, receive, send)
            return
        response = await self._respond(match, scope, receive)
        if isinstance(response, EventStreamResponse):
            open_streams.add(response.reader)
            try:
                await _stream_until_disconnect(response, receive, send)
            finally:
                open_streams.remove(response.reader)
        elif response is not None:
            await self.send_response(response, send)

    async def _respond(
        self, match: ResolverMatch, scope: Scope, receive: Receive
    ) -> HttpResponseBase | None:
        """The response; None if the client disconnects before its request is complete.

        Nothing keeps the request and its body: they are freed before a stream begins.
        """
        body = await _read_body(receive)
        if body is None:
            return None
        request, error_response = self.create_request(scope, BytesIO(body))
        if request is None:
            return cast(HttpResponseBase, error_response)
        request.resolver_match = match
        return cast(HttpResponseBase, await self._async_view_chain(request))


@dataclass(slots=True)
class _Progress:
    """How many messages of a stream the server has taken, and whether one waits to be taken."""

    sent: int = 0
    is_sending: bool = False


async def _stream_until_disconnect(
    response: EventStreamResponse, receive: Receive, send: Send
) -> None:
    """Send a stream to its end, or until the client disconnects or takes nothing any more."""
    progress = _Progress()
    sending = asyncio.create_task(_send_chunks(response, send, progress))
    disconnect = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        stuck_at = None
        while not (progress.is_sending and progress.sent == stuck_at):
            stuck_at = progress.sent if progress.is_sending else None
            done, _ = await asyncio.wait(
                (sending, disconnect),
                timeout=settings.SEND_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if done:
                break
        else:
            log.info("slow_reader", sent=progress.sent)
    finally:
        sending.cancel()
        disconnect.cancel()
        results = await asyncio.gather(sending, disconnect, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]


async def _send_chunks(response: EventStreamResponse, send: Send, progress: _Progress) -> None:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async with aclosing(response.chunks) as chunks:
        async for chunk in chunks:
            progress.is_sending = True
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            progress.is_sending = False
            progress.sent += 1
    await send({"type": "http.response.body"})


def _build_middleware_chain(handler: Any) -> Any:
    handler = convert_exception_to_response(handler)
    for name in reversed(settings.API_MIDDLEWARE):
        handler = convert_exception_to_response(import_string(name)(handler))
    return handler


async def _call_view(request: HttpRequest) -> HttpResponseBase:
    match = cast(ResolverMatch, request.resolver_match)
    return cast(HttpResponseBase, await match.func(request, *match.args, **match.kwargs))


def _resolve_async_view(path: str) -> ResolverMatch | None:
    """Resolve a path; None unless its view is an AsyncApiView."""
    # Anybody can send any path. Those of our views are short.
    if len(path) > _MAX_CACHED_PATH_LENGTH:
        return _resolve(path)
    return _resolve_cached(path)


def _resolve(path: str) -> ResolverMatch | None:
    try:
        match = get_resolver(settings.ROOT_URLCONF).resolve(path)
    except Resolver404:
        return None
    view = getattr(match.func, "cls", None)
    return match if isinstance(view, type) and issubclass(view, AsyncApiView) else None


_resolve_cached = functools.lru_cache(maxsize=4096)(_resolve)


async def _read_body(receive: Receive) -> bytes | None:
    """The request's body; None if the client disconnected before its end."""
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        return cast(bytes, message.get("body", b""))
    chunks = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    return None if message["type"] == "http.disconnect" else b"".join(chunks)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
