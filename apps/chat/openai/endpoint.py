"""OpenAI's chat completions API, with chatbots as models: parse, call the engine, format.

OpenAI's packages work with it after changing `base_url`. Limits, prices and errors are those of
the chat endpoint.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api_keys.attempts import limit_attempts
from apps.api_kit import error_format
from apps.api_kit.unknown_address import UnknownAddressView
from apps.chat.engine.access import Access, list_accessible_chatbots
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.start import raise_early_failure, wait_for_end
from apps.chat.http.stream_format import StreamFormat
from apps.chat.http.views import ChatbotView, stream_response
from apps.chat.openai import completion_format
from apps.chat.openai.completion_request import CompletionBody, parse_completion, parse_model
from apps.chatbots.errors import ChatbotNotFound
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.rate_limit import Window
from apps.infrastructure.web.client_address import request_client


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Handle an exception of a view as everywhere, and respond in OpenAI's error format."""
    response = error_format.exception_handler(exception, context)
    response.data = completion_format.error_body(error_format.as_api_error(exception))
    return response


class OpenAIView(ChatbotView):
    """Base of these endpoints: OpenAI's error format and its rate-limit headers."""

    def get_exception_handler(self) -> Any:
        return exception_handler

    def limit_headers(self, window: Window) -> dict[str, str]:
        return window.headers() | completion_format.limit_headers(window, now=time.time())


class CompletionsView(OpenAIView):
    """POST messages, get a completion as JSON or as a stream of chunks."""

    http_method_names = ["post"]

    async def post(self, request: Request) -> HttpResponseBase:
        model, problem = _parse_model(request)
        try:
            access = await self.authenticate(request, model)
        except ChatbotNotFound as not_found:
            raise problem or not_found from None
        body, parsed = await self._parse(request, access)
        log, access = await self.admit_and_start(request, access, parsed)
        created = int(time.time())
        if body.streams:
            encoder = completion_format.ChunkEncoder(access.chatbot.id, created, body.include_usage)
            await raise_early_failure(log)
            return stream_response(request, log, access, StreamFormat(lambda: encoder.encode))
        ended = await wait_for_end(log, api_key_id=access.api_key_id)
        completion = completion_format.format_completion(
            ended, model=access.chatbot.id, created=created
        )
        return Response(completion, headers=request.answer_headers)  # type: ignore[attr-defined]

    async def _parse(
        self, request: Request, access: Access
    ) -> tuple[CompletionBody, ParsedRequest]:
        """The body and the chat request in it. A refusal shows the rate limit, but takes no
        slot."""
        try:
            body = parse_completion(request.data)
            key = request.headers.get("Idempotency-Key")
            parsed = parse_request(body.fields, key, key_name="Idempotency-Key")
            return body, replace(parsed, history=body.history)
        except Exception:
            await self.show_limit(request, access)
            raise


class ModelsView(OpenAIView):
    """GET the workspace's active chatbots as models."""

    http_method_names = ["get"]

    async def get(self, request: Request) -> HttpResponseBase:
        authorization = request.headers.get("Authorization")
        with limit_attempts(request_client(request._request), authorization):
            chatbots = await in_thread(list_accessible_chatbots, authorization)
        return Response(completion_format.models_body(chatbots))


class ModelView(OpenAIView):
    """GET one chatbot as a model."""

    http_method_names = ["get"]

    async def get(self, request: Request, chatbot_id: str) -> HttpResponseBase:
        access = await self.authenticate(request, chatbot_id)
        return Response(completion_format.model_body(access.chatbot))


class UnknownOpenAIAddressView(UnknownAddressView):
    """As everywhere, in OpenAI's error format."""

    def get_exception_handler(self) -> Any:
        return exception_handler


def _parse_model(request: Request) -> tuple[str, Exception | None]:
    """The chatbot that the body names; or "" and why it names none. The caller is authenticated
    before that is reported."""
    try:
        return parse_model(request.data), None
    except Exception as problem:
        return "", problem
