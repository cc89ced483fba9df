"""All other providers, through litellm: Anthropic, Gemini, Bedrock, and a hundred more.

litellm takes about 10 seconds and 180 MB to import, so only a process that calls such a model
imports it: at its first call, or earlier in `apps.llm.services.preload_providers`.
"""

import asyncio
import importlib
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from apps.llm.error_mapping import (
    Request,
    error_codes,
    error_from_report,
    parse_retry_after,
)
from apps.llm.errors import ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.provider_codes import finish_meaning
from apps.llm.provider_keys import api_key_from_env
from apps.llm.providers.openai_chunks import count, finish_events, split_content
from apps.llm.types import (
    EventHandler,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    SignOfLife,
    TextDelta,
    UsageReport,
)

_LITELLM_WORDS = ("internal_server_error",)
"""Codes of litellm's own, which say no more than its status."""

_CODES_BY_ERROR = {
    "ContentPolicyViolationError": "content_filter",
    "ContextWindowExceededError": "context_length_exceeded",
}
_INCOMPLETE = ("unfinished", "failed", "busy")
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx", "httpcore")
_DUMMY_KEY = "none"
_loaded = threading.Event()
_CONNECTION_ERRORS = {"APIConnectionError", "RemoteProtocolError", "ConnectError"}


async def load() -> Any:
    """Return the litellm module, imported in a thread the first time. May be called again."""
    return await asyncio.to_thread(_import)


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """Call any model that litellm knows; `request.model` is its litellm id.

    If the provider cannot stream, the answer is one delta. A stream without a finish reason was
    cut: litellm does not tell, and for Gemini that cannot be seen.

    Raises: ProviderFailed, ProviderUnavailable, ContentFiltered.
    """
    litellm = await load()
    arguments = _arguments(request, key_for(request))
    has_started = False
    stream: Any = None
    try:
        answer = await litellm.acompletion(**arguments)
        if not request.supports_streaming:
            for event in _events(request, answer, "message"):
                on_event(event)
            return
        stream = answer
        try:
            async for chunk in stream:
                for event in _events(request, chunk, "delta"):
                    has_started = has_started or type(event) in (TextDelta, ReasoningDelta)
                    on_event(event)
        finally:
            await stream.aclose()
    except ProviderError:
        raise
    except Exception as error:
        mapped = map_error(request, error, has_started=has_started)
        if mapped is None:
            raise
        # What follows a complete answer cannot spoil it.
        if stream is None or finish_meaning(_finish_reason(stream)) in _INCOMPLETE:
            # litellm's own text quotes what the provider said, so the chain is cut here.
            raise mapped from None
    for event in _last_events(request, stream):
        on_event(event)


async def aclose() -> None:
    """Close litellm's connections and clear its cache of clients.

    The cache is keyed by the id of the event loop, and would return a closed client to a later
    loop that happens to get the same id.
    """
    if _loaded.is_set():
        litellm = importlib.import_module("litellm")
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


def _import() -> Any:
    # Prices and names come from the package: nothing is fetched, and no .env file is read.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    litellm: Any = importlib.import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = True
    for name in _LOGGERS:
        # At DEBUG and INFO they log requests, keys included; at ERROR, what providers said.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _loaded.set()
    return litellm


def _arguments(request: ModelRequest, key: str | None) -> dict[str, Any]:
    timeouts = request.timeouts
    httpx = importlib.import_module("httpx")
    optional = {
        "api_base": request.api_base or None,
        "api_key": key,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "user": request.user or None,
        "stream_options": {"include_usage": True} if request.supports_streaming else None,
    }
    return {
        "model": request.model,
        "messages": [{"role": each.role, "content": each.text} for each in request.messages],
        "stream": request.supports_streaming,
        "timeout": httpx.Timeout(timeouts.total, connect=timeouts.connect),
        "num_retries": 0,
        "max_retries": 0,
        **{name: value for name, value in optional.items() if value is not None},
    }


def key_for(request: Request) -> str | None:
    """The key; None lets litellm read the provider's usual variables, such as AWS's.

    That is never left to it for an address that staff entered: litellm would send the provider's
    key there.
    """
    key = api_key_from_env(request.api_key_env, api_base=request.api_base, litellm_id=request.model)
    return key or (_DUMMY_KEY if request.api_base else None)


def _events(request: ModelRequest, answer: Any, part: str) -> Iterator[ModelEvent]:
    """The events of a chunk or of a whole answer, whose text is in `part` of a choice."""
    yield SignOfLife()
    for choice in answer.choices[:1]:
        message = getattr(choice, part)
        text, thought = split_content(getattr(message, "content", None))
        if reasoning := thought or getattr(message, "reasoning_content", None):
            yield ReasoningDelta(reasoning)
        if text:
            yield TextDelta(text, 0 if reasoning else 1)
        yield from finish_events(request, choice.finish_reason)
    if usage := getattr(answer, "usage", None):
        yield UsageReport(count(usage.prompt_tokens), count(usage.completion_tokens))


def _finish_reason(stream: Any) -> object:
    """The finish reason as the provider gave it: litellm ends with "stop" whatever happened."""
    return stream.received_finish_reason or stream.intermittent_finish_reason


def _last_events(request: ModelRequest, stream: Any) -> Iterator[ModelEvent]:
    reason = _finish_reason(stream)
    if finish_meaning(reason) == "unfinished":
        raise ProviderFailed(f"{request.model}: the answer was cut before its end", retryable=True)
    yield from finish_events(request, reason)


def map_error(request: Request, error: Exception, *, has_started: bool) -> ProviderError | None:
    """Map litellm's error; None for errors that are not litellm's."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return None
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    if names & _CONNECTION_ERRORS or any(isinstance(cause, OSError) for cause in causes):
        if has_started:
            return ProviderFailed(f"{request.model}: the answer broke off", retryable=True)
        return ProviderUnavailable(
            f"{request.model}: no connection to the provider", retryable=True
        )
    headers = getattr(error, "litellm_response_headers", None) or {}
    titled = {name.title(): value for name, value in headers.items()}
    return error_from_report(
        request,
        {"errors": [{"code": code} for code in _codes(causes)]},
        status=status,
        retry_after=parse_retry_after(titled),
    )


def _codes(causes: Iterable[BaseException]) -> Iterator[object]:
    """Everything in litellm's errors that may be a code of the provider."""
    for cause in causes:
        if word := _CODES_BY_ERROR.get(type(cause).__name__):
            yield word
        # Anthropic's "Overloaded" is the whole message.
        found = (getattr(cause, name, None) for name in ("code", "type", "message"))
        yield from (code for code in found if code not in _LITELLM_WORDS)
        if isinstance(body := getattr(cause, "body", None), dict):
            yield from error_codes(body)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes. Only they show that litellm's 500 was a lost connection, and have
    the provider's code."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
