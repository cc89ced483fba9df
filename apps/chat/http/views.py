"""The chat endpoint over HTTP: parse, call the engine, format."""

from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api_kit.async_api import AsyncApiView, EventStreamResponse, open_streams
from apps.chat.ai_sdk.request import to_chat_body
from apps.chat.engine import chatbot_rate_limit
from apps.chat.engine.access import Access
from apps.chat.engine.admission import admit_and_start
from apps.chat.engine.auth_cache import authenticate_cached
from apps.chat.engine.log import TurnLog
from apps.chat.engine.refused_requests import log_refused_chat
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.start import (
    follow_turn,
    raise_early_failure,
    stop_turn,
    wait_for_end,
)
from apps.chat.http import sse
from apps.chat.http.stream_format import (
    AI_SDK,
    PARLEY,
    StreamFormat,
    encode_stream,
    get_stream_format,
)
from apps.conversations.models import Turn
from apps.conversations.queries import get_turn
from apps.core.errors import MethodNotAllowed, TooManyRequests, ValidationFailed
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import is_stale
from apps.infrastructure.redis.rate_limit import Window
from apps.infrastructure.web.client_address import request_client
from apps.infrastructure.web.middleware import get_request_id

RETRY_SECONDS = 30
_TOO_MANY_STREAMS = "This API key has too many open streams. Close some before you open others."


class ChatbotView(AsyncApiView):
    """Base of the endpoints of a chatbot: authentication and the headers of its rate limit."""

    access: Access | None = None
    window: Window | None = None

    async def authenticate(self, request: Request, chatbot_id: str) -> Access:
        """The caller and the chatbot of the request. Raises as `access.authenticate` does."""
        self.access = None
        authorization = request.headers.get("Authorization")
        self.access = await authenticate_cached(
            authorization, chatbot_id, client=lambda: request_client(request._request)
        )
        structlog.contextvars.bind_contextvars(workspace_id=self.access.workspace_id)
        return self.access

    async def admit_and_start(
        self, request: Request, access: Access, parsed: ParsedRequest
    ) -> tuple[TurnLog, Access]:
        """As `engine.admission.admit_and_start`; the response gets the rate-limit headers."""
        return await admit_and_start(
            access,
            parsed,
            request_id=get_request_id(request._request),
            on_rate_limit=lambda window: self.set_limit_headers(request, window),
            reauthenticate=lambda: self.authenticate(request, access.chatbot.id),
        )

    async def show_limit(self, request: Request, access: Access) -> None:
        """Set the rate-limit headers without taking a slot."""
        self.set_limit_headers(request, await chatbot_rate_limit.peek(access.chatbot))

    def set_limit_headers(self, request: Request, window: Window) -> None:
        """Set the headers of this response, whether it becomes an answer or an error."""
        self.window = window
        request.answer_headers = self.limit_headers(window)  # type: ignore[attr-defined]

    def limit_headers(self, window: Window) -> dict[str, str]:
        """The rate-limit headers of this endpoint."""
        return window.headers()

    def handle_exception(self, exc: Exception) -> Any:
        """Record a refused request for the members of its workspace, and respond."""
        request = self.request._request
        log_refused_chat(
            exc,
            caller=self.access.caller if self.access else None,
            request_id=get_request_id(request),
            method=request.method or "",
            path=request.path,
            chatbot_id=self.access.chatbot.id if self.access else None,
            window=self.window,
        )
        return super().handle_exception(exc)

    def http_method_not_allowed(self, request: HttpRequest, *_: Any, **__: Any) -> Any:
        raise MethodNotAllowed(self.allowed_methods)


class TurnView(ChatbotView):
    """Base of the endpoints of a turn. They take no slot in the chatbot's rate limit."""

    async def get_turn(
        self, request: Request, chatbot_id: str, turn_id: str
    ) -> tuple[Turn, Access]:
        """The caller's turn, and its access. Raises TurnNotFound."""
        access = await self.authenticate(request, chatbot_id)
        await self.show_limit(request, access)
        if is_stale(access.cache_version):
            access = await self.authenticate(request, chatbot_id)
        turn = await in_thread(get_turn, access.workspace_id, turn_id, chatbot_id=access.chatbot.id)
        return turn, access


class ChatView(ChatbotView):
    """POST a message, get the answer as JSON or as a stream of server-sent events."""

    http_method_names = ["post"]

    async def post(self, request: Request, chatbot_id: str) -> HttpResponseBase:
        access = await self.authenticate(request, chatbot_id)
        parsed, stream_format = await self._parse(request, access)
        log, access = await self.admit_and_start(request, access, parsed)
        streams = access.chatbot.stream_by_default if parsed.stream is None else parsed.stream
        if not streams:
            ended = await wait_for_end(log, api_key_id=access.api_key_id)
            return success_response(request, ended.data())
        await raise_early_failure(log)
        return stream_response(request, log, access, stream_format)

    async def _parse(self, request: Request, access: Access) -> tuple[ParsedRequest, StreamFormat]:
        """The request and its stream format. A refusal shows the rate limit, but takes no slot."""
        try:
            stream_format = _stream_format(request)
            body: Any = request.data
            if stream_format is AI_SDK:
                body = to_chat_body(body)
            key = request.headers.get("Idempotency-Key")
            return parse_request(body, key, key_name="Idempotency-Key"), stream_format
        except Exception:
            await self.show_limit(request, access)
            raise


class TurnStreamView(TurnView):
    """GET a turn's events, from any process, while it runs or afterwards, after any event."""

    http_method_names = ["get"]

    async def get(self, request: Request, chatbot_id: str, turn_id: str) -> HttpResponseBase:
        turn, access = await self.get_turn(request, chatbot_id, turn_id)
        if open_streams[_reader(access)] >= settings.MAX_STREAMS_PER_KEY:
            raise TooManyRequests(RETRY_SECONDS, _TOO_MANY_STREAMS)
        stream_format, after = _stream_format(request), _last_event_id(request)
        if stream_format is AI_SDK and after:
            raise ValidationFailed({"after": ["In this protocol a turn is told from its start."]})
        log = await follow_turn(turn)
        return stream_response(request, log, access, stream_format, after=after)


class TurnStopView(TurnView):
    """POST to stop a turn. Responds with how it ended, whoever ended it."""

    http_method_names = ["post"]

    async def post(self, request: Request, chatbot_id: str, turn_id: str) -> HttpResponseBase:
        turn, access = await self.get_turn(request, chatbot_id, turn_id)
        ended = await stop_turn(turn, api_key_id=access.api_key_id)
        return success_response(request, ended.data())


def success_response(request: Request, data: Any) -> Response:
    """The data in the success envelope, with the rate-limit headers."""
    return Response({"success": True, "data": data}, headers=request.answer_headers)  # type: ignore[attr-defined]


def stream_response(
    request: Request,
    log: TurnLog,
    access: Access,
    stream_format: StreamFormat = PARLEY,
    *,
    after: int = 0,
) -> EventStreamResponse:
    """The log's events after number `after`, as server-sent events, while the key is valid."""
    limit_headers: dict[str, str] = request.answer_headers  # type: ignore[attr-defined]
    return EventStreamResponse(
        encode_stream(log, stream_format, after=after, api_key_id=access.api_key_id),
        reader=_reader(access),
        content_type="text/event-stream; charset=utf-8",
        headers={**sse.HEADERS, **stream_format.headers, **limit_headers},
    )


def _reader(access: Access) -> str:
    return access.api_key_id or access.workspace_id


def _stream_format(request: Request) -> StreamFormat:
    """The stream format that the caller names, by query parameter or header; Parley's own if
    none. Raises ValidationFailed if either names an unknown one."""
    names = (request.query_params.get("protocol"), request.headers.get("X-Parley-Protocol"))
    first, *_ = [get_stream_format(name) for name in names if name is not None] or [PARLEY]
    return first


def _last_event_id(request: Request) -> int:
    """The number of the last event that the caller has; 0 for none.

    The later of the two: an EventSource reconnects to the address at which it started, and sends
    in the header what it has received since.
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
