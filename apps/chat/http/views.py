"""The chat endpoint: parse, call the engine, format. No rule lives here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api_kit.async_api import AsyncApiView, EventStreamResponse
from apps.api_kit.callers import Caller
from apps.chat.ai_sdk.request import to_chat_body
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine.auth_cache import authenticate_cached
from apps.chat.engine.events import TurnFailed
from apps.chat.engine.log import TurnLog
from apps.chat.engine.refused_requests import log_refused_http_request
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.start import follow_turn, start_turn, stop_turn
from apps.chat.http import sse
from apps.chat.http.stream_format import AI_SDK, PARLEY, StreamFormat, get_stream_format
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import get_turn
from apps.core.errors import MethodNotAllowed, TooManyRequests, ValidationFailed
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis import cache_invalidation
from apps.infrastructure.web.middleware import get_request_id


class ChatbotView(AsyncApiView):
    """What the endpoints of a chatbot share: who calls, and where its limit stands."""

    found: tuple[Caller, Chatbot] | None = None
    window: rate_limit.Window | None = None
    cache_version: int | None = None

    async def _chatbot(self, request: Request, chatbot_id: str) -> tuple[Caller, Chatbot]:
        self.found = None
        self.cache_version = cache_invalidation.current_version()
        self.found = await authenticate_cached(request.headers.get("Authorization"), chatbot_id)
        structlog.contextvars.bind_contextvars(workspace_id=self.found[0].workspace_id)
        return self.found

    def _add_limit_headers(self, request: Request, window: rate_limit.Window) -> dict[str, str]:
        self.window = window
        request.answer_headers = window.headers()  # type: ignore[attr-defined]
        return window.headers()

    def handle_exception(self, exc: Exception) -> Any:
        """The answer to an exception; why a request was refused is noted for its workspace."""
        log_refused_http_request(exc, self.request._request, self.found, self.window)
        return super().handle_exception(exc)

    def http_method_not_allowed(self, request: HttpRequest, *_: Any, **__: Any) -> Any:
        raise MethodNotAllowed(self.allowed_methods)


class TurnView(ChatbotView):
    """What the endpoints of a turn share. They take no place in the chatbot's limit."""

    async def _turn(
        self, request: Request, chatbot_id: str, turn_id: str
    ) -> tuple[Turn, dict[str, str]]:
        caller, chatbot = await self._chatbot(request, chatbot_id)
        window = await rate_limit.peek(chatbot)
        headers = self._add_limit_headers(request, window)
        if cache_invalidation.is_stale(self.cache_version):
            caller, chatbot = await self._chatbot(request, chatbot_id)
        turn = await in_thread(get_turn, caller.workspace_id, turn_id, chatbot_id=chatbot.id)
        return turn, headers


class ChatView(ChatbotView):
    """POST a message, get the answer as JSON or as a stream of server-sent events."""

    http_method_names = ["post"]

    async def post(self, request: Request, chatbot_id: str) -> HttpResponseBase:
        caller, chatbot = await self._chatbot(request, chatbot_id)
        body, wire = await self._parse(request, chatbot)
        window = await rate_limit.admit(chatbot, idempotency_key=body.idempotency_key)
        headers = self._add_limit_headers(request, window)
        if cache_invalidation.is_stale(self.cache_version):
            caller, chatbot = await self._chatbot(request, chatbot_id)
        if not window.admitted:
            raise TooManyRequests(window.retry_after)
        request_id = get_request_id(request._request)
        log = await start_turn(body.of(caller, chatbot, request_id=request_id))
        streams = chatbot.stream_by_default if body.stream is None else body.stream
        if streams:
            return await stream_answer(log, headers, wire)
        return await json_answer(log, headers)

    async def _parse(
        self, request: Request, chatbot: Chatbot
    ) -> tuple[ParsedRequest, StreamFormat]:
        """The body, the idempotency key and the protocol. A refusal shows the limit, but takes no
        place in it."""
        try:
            wire = _stream_format(request)
            data = parse_body(request)
            body = to_chat_body(data) if wire is AI_SDK else data
            key = request.headers.get("Idempotency-Key")
            return parse_request(body, key, key_name="Idempotency-Key"), wire
        except Exception:
            self._add_limit_headers(request, await rate_limit.peek(chatbot))
            raise


class TurnStreamView(TurnView):
    """GET a turn's events from any process, while it runs or after it, from where one left off."""

    http_method_names = ["get"]

    async def get(self, request: Request, chatbot_id: str, turn_id: str) -> HttpResponseBase:
        turn, headers = await self._turn(request, chatbot_id, turn_id)
        wire, after = _stream_format(request), _last_event_id(request)
        if wire is AI_SDK and after:
            raise ValidationFailed({"after": ["In this protocol a turn is told from its start."]})
        return stream_response(await follow_turn(turn), headers, wire, after=after)


class TurnStopView(TurnView):
    """POST to stop a turn. Answers with how it ended, whoever ended it."""

    http_method_names = ["post"]

    async def post(self, request: Request, chatbot_id: str, turn_id: str) -> HttpResponseBase:
        turn, headers = await self._turn(request, chatbot_id, turn_id)
        outcome = await stop_turn(turn)
        if isinstance(outcome, TurnFailed):
            raise outcome.error
        return Response({"success": True, "data": outcome.data()}, headers=headers)


def _stream_format(request: Request) -> StreamFormat:
    """The protocol in which the caller wants its stream. Whatever names one has to be right."""
    places = (request.query_params.get("protocol"), request.headers.get("X-Parley-Protocol"))
    first, *_ = [get_stream_format(name) for name in places if name is not None] or [PARLEY]
    return first


def _last_event_id(request: Request) -> int:
    """The number of the last event that the caller has; 0 for none.

    Of two the later counts: an EventSource that connects again does so at the address at which
    it began, and says in the header what it has had since.
    """
    given = {
        "after": request.query_params.get("after"),
        "Last-Event-ID": request.headers.get("Last-Event-ID"),
    }
    numbers = {name: value for name, value in given.items() if value}
    for name, value in numbers.items():
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise ValidationFailed({name: ["This must be the id of an event: a whole number."]})
    return max(map(int, numbers.values()), default=0)


def parse_body(request: Request) -> Any:
    """The JSON of the body. Raises ParseError, UnsupportedMediaType or ValidationFailed."""
    try:
        return request.data
    except RecursionError:
        raise ValidationFailed(message="The body is nested too deep.") from None


async def json_answer(log: TurnLog, headers: dict[str, str]) -> Response:
    """The whole answer as one JSON object. Raises the error under which the turn failed."""
    outcome = await log.outcome()
    if isinstance(outcome, TurnFailed):
        raise outcome.error
    return Response({"success": True, "data": outcome.data()}, headers=headers)


async def stream_answer(
    log: TurnLog, headers: dict[str, str], wire: StreamFormat = PARLEY
) -> EventStreamResponse:
    """The answer as it comes. A turn that fails at once raises its error as plain HTTP."""
    first = await log.first_event(timeout=settings.STREAM_START_SECONDS)
    if isinstance(first, TurnFailed):
        raise first.error
    return stream_response(log, headers, wire)


def stream_response(
    log: TurnLog, headers: dict[str, str], wire: StreamFormat = PARLEY, *, after: int = 0
) -> EventStreamResponse:
    """A log's events after a number, as server-sent events."""
    return EventStreamResponse(
        _frames(log, wire, after),
        content_type="text/event-stream; charset=utf-8",
        headers={**sse.HEADERS, **wire.headers, **headers},
    )


async def _frames(log: TurnLog, wire: StreamFormat, number: int) -> AsyncGenerator[bytes, None]:
    async for events in log.follow(after=number, idle_seconds=settings.STREAM_HEARTBEAT_SECONDS):
        frames = []
        for event in events:
            number += 1
            frames.append(wire.encode(number, event))
        yield b"".join(frames) or sse.HEARTBEAT
    yield sse.DONE
