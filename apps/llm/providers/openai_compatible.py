"""Servers with OpenAI's chat completions API: OpenAI, vLLM, llama.cpp, most hosted providers.

The HTTP client is `apps.llm.http.connection_pool`. A chunk costs a tenth of what it costs through
litellm, and less when many arrive together; docs/explanation/performance.md has the figures.
"""

import asyncio
import json
import ssl
from collections.abc import Set
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any

from apps.llm.error_mapping import error_from_report, parse_retry_after
from apps.llm.errors import ProviderFailed, ProviderUnavailable
from apps.llm.http.body import read_at_most
from apps.llm.http.connection_pool import HttpResponse, close_idle_connections, connection_pool
from apps.llm.http.content_decoding import UnsupportedEncoding, content_decoder
from apps.llm.http.request_encoding import InvalidUrl
from apps.llm.provider_keys import api_key_from_env
from apps.llm.providers.openai_chunks import parse_json
from apps.llm.providers.openai_response import CompletionParser
from apps.llm.types import EventHandler, ModelRequest

MAX_ERROR_BYTES = 64 * 1024
TRAILING_BYTES_SECONDS = 0.1
"""How long a complete answer waits for the end of its HTTP body, to keep the connection."""

_REJECTION_WORDS = ("support", "permitted", "unknown", "unrecognized")

_HEADERS = {
    "Accept": "text/event-stream, application/json",
    # Compressed events would wait in the compressor for more of them.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "Parley",
}
_unsupported_fields: dict[tuple[str, str], frozenset[str]] = {}
"""Fields that a server has rejected for a model, so that only its first turn is sent twice."""


async def complete(request: ModelRequest, on_event: EventHandler) -> None:
    """POST to `{api_base}/chat/completions`. Raises: ProviderFailed, ProviderUnavailable."""
    parser = CompletionParser(request, on_event)
    try:
        # Closing the response closes its connection, unless the answer was read to its end.
        with closing(await _send(request)) as response:
            await _read(request, response, parser)
    except (InvalidUrl, OSError) as error:
        # The errors' own texts may quote headers, so only their names go on.
        name = type(error).__name__
        if isinstance(error, (InvalidUrl, ssl.SSLError)):
            raise ProviderFailed(f"{request.model}: {name} at {request.api_base}") from None
        if parser.has_started:
            broke_off = f"{request.model}: the answer broke off ({name})"
            raise ProviderFailed(broke_off, retryable=True) from None
        no_connection = f"{request.model}: no connection to {request.api_base} ({name})"
        raise ProviderUnavailable(no_connection, retryable=True) from None


async def aclose() -> None:
    """Close this event loop's connections."""
    close_idle_connections()
    await asyncio.sleep(0)  # the loop closes their sockets


async def _send(request: ModelRequest) -> HttpResponse:
    """Return the response with the answer; sends again without the fields the server rejects."""
    server_model = (request.api_base, request.model)
    while True:
        unsupported = _unsupported_fields.get(server_model, frozenset())
        body = _body(request, unsupported)
        response = await _post(request, body)
        if response.status == HTTPStatus.OK:
            return response
        with closing(response):
            error_body = await read_at_most(response, MAX_ERROR_BYTES)
        rejected = _rejected_fields(response.status, error_body, body) - unsupported
        if not rejected:
            raise error_from_report(
                request,
                _parse_report(error_body),
                status=response.status,
                retry_after=parse_retry_after(response.headers),
            )
        _unsupported_fields[server_model] = unsupported | rejected


async def _post(request: ModelRequest, body: dict[str, Any]) -> HttpResponse:
    headers = _HEADERS
    if key := api_key_from_env(request.api_key_env, api_base=request.api_base):
        headers = {**headers, "Authorization": f"Bearer {key}"}
    return await connection_pool().post(
        f"{request.api_base.rstrip('/')}/chat/completions",
        body=json.dumps(body, separators=(",", ":")).encode(),
        headers=headers,
        connect_seconds=request.timeouts.connect,
    )


def _body(request: ModelRequest, unsupported: Set[str]) -> dict[str, Any]:
    # OpenAI's reasoning models accept only the newer name of the limit, other servers the older.
    limit = "max_completion_tokens" if "max_tokens" in unsupported else "max_tokens"
    optional: dict[str, Any] = {
        "temperature": request.temperature,
        limit: request.max_tokens,
        "user": request.user or None,
        "stream_options": {"include_usage": True} if request.supports_streaming else None,
    }
    return {
        "model": request.model,
        "messages": [{"role": each.role, "content": each.text} for each in request.messages],
        "stream": request.supports_streaming,
        **{
            name: value
            for name, value in optional.items()
            if value is not None and name not in unsupported
        },
    }


def _rejected_fields(status: int, error_body: bytes, body: dict[str, Any]) -> frozenset[str]:
    """The optional fields of `body` that the server says it does not support."""
    if status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return frozenset()
    report = _parse_report(error_body)
    error = report["error"] if isinstance(report.get("error"), dict) else report
    text = json.dumps([error.get(name) for name in ("param", "message", "detail", "loc")])
    names = {"stream_options"}
    if "max_completion_tokens" in text:
        names.add("max_tokens")
    if any(word in text.lower() for word in _REJECTION_WORDS):
        names |= {"temperature", "user"}
    return frozenset(name for name in names if name in body and name in text)


def _parse_report(error_body: bytes) -> dict[str, Any]:
    report = parse_json(error_body)
    return report if isinstance(report, dict) else {}


async def _read(request: ModelRequest, response: HttpResponse, parser: CompletionParser) -> None:
    try:
        decode = content_decoder(response.headers.get("Content-Encoding", ""))
        if decode is None:
            await response.stream_to(parser.feed)
        else:
            await response.stream_to(lambda piece: parser.feed(decode(piece)))
    except UnsupportedEncoding as error:
        raise ProviderFailed(f"{request.model}: {error}") from None
    except OSError:
        if not parser.is_complete:
            raise
        return
    parser.finish()
    await _read_trailing_bytes(response)


async def _read_trailing_bytes(response: HttpResponse) -> None:
    """Read the few bytes after `[DONE]`, so that the connection can serve the next turn."""
    if response.is_complete:
        return
    with suppress(OSError):
        async with asyncio.timeout(TRAILING_BYTES_SECONDS):
            while await response.read():
                pass
