"""OpenAI's chat completions, with chatbots for models: parse, call the engine, format.

The official packages work with it by another `base_url`. It is the chat endpoint in another
dress: the same engine, limits, prices and errors.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api_kit import error_format
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine.access import list_accessible_chatbots
from apps.chat.engine.events import TurnFailed
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.start import start_turn
from apps.chat.http.stream_format import StreamFormat
from apps.chat.http.views import ChatbotView, parse_body, stream_answer
from apps.chat.openai import completion_format as frames
from apps.chat.openai.completion_request import CompletionBody, parse_completion, parse_model
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.core.errors import NotFound, TooManyRequests
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis import cache_invalidation
from apps.infrastructure.web.middleware import get_request_id


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Any exception of a view, handled as everywhere and told in OpenAI's shape."""
    answer = error_format.exception_handler(exception, context)
    answer.data = frames.error_body(error_format.as_api_error(exception))
    return answer


class OpenAIView(ChatbotView):
    """What these endpoints share: OpenAI's error shape and its rate-limit headers."""

    def get_exception_handler(self) -> Any:
        return exception_handler

    def _show(self, request: Request, window: rate_limit.Window) -> dict[str, str]:
        self.window = window
        headers = window.headers() | frames.limit_headers(window, now=time.time())
        request.answer_headers = headers  # type: ignore[attr-defined]
        return headers


class CompletionsView(OpenAIView):
    """POST messages, get a completion as JSON or as a stream of chunks."""

    http_method_names = ["post"]

    async def post(self, request: Request) -> HttpResponseBase:
        model, problem = _model(request)
        try:
            caller, chatbot = await self._chatbot(request, model)
        except ChatbotNotFound as absent:
            raise problem or absent from None
        body, ask = await self._parse(request, chatbot)
        window = await rate_limit.admit(chatbot, idempotency_key=ask.idempotency_key)
        headers = self._show(request, window)
        if cache_invalidation.is_stale(self.cache_version):
            caller, chatbot = await self._chatbot(request, model)
        if not window.admitted:
            raise TooManyRequests(window.retry_after)
        asks = ask.of(caller, chatbot, request_id=get_request_id(request._request))
        log = await start_turn(replace(asks, history=body.history))
        created = int(time.time())
        if body.streams:
            chunks = frames.ChunkEncoder(chatbot.id, created, body.include_usage)
            return await stream_answer(log, headers, StreamFormat(chunks.encode))
        outcome = await log.outcome()
        if isinstance(outcome, TurnFailed):
            raise outcome.error
        answer = frames.format_completion(outcome, model=chatbot.id, created=created)
        return Response(answer, headers=headers)

    async def _parse(
        self, request: Request, chatbot: Chatbot
    ) -> tuple[CompletionBody, ParsedRequest]:
        """What the body asks. A refusal shows the limit, but takes no place in it."""
        try:
            body = parse_completion(parse_body(request))
            key = request.headers.get("Idempotency-Key")
            return body, parse_request(body.fields, key, key_name="Idempotency-Key")
        except Exception:
            self._show(request, await rate_limit.peek(chatbot))
            raise


class ModelsView(OpenAIView):
    """GET the workspace's active chatbots as models."""

    http_method_names = ["get"]

    async def get(self, request: Request) -> HttpResponseBase:
        chatbots = await in_thread(list_accessible_chatbots, request.headers.get("Authorization"))
        return Response(frames.models_body(chatbots))


class ModelView(OpenAIView):
    """GET one chatbot as a model."""

    http_method_names = ["get"]

    async def get(self, request: Request, chatbot_id: str) -> HttpResponseBase:
        _, chatbot = await self._chatbot(request, chatbot_id)
        return Response(frames.model_body(chatbot))


class UnknownPathView(OpenAIView):
    """What OpenAI's packages meet where Parley has nothing: the 404 in the shape they read."""

    def http_method_not_allowed(self, request: HttpRequest, *_: Any, **__: Any) -> Any:
        raise NotFound


def _model(request: Request) -> tuple[str, Exception | None]:
    """The chatbot that the body names; or "" and why it names none. Who calls is asked first."""
    try:
        return parse_model(parse_body(request)), None
    except Exception as problem:
        return "", problem
