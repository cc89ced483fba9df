"""Call embedding models: the entry point of this package."""

import asyncio
import traceback
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import cast

import structlog

from apps.llm.embeddings.types import EmbeddingProvider, EmbeddingRequest, Embeddings
from apps.llm.errors import ProviderError, ProviderFailed, ProviderTimeout
from apps.llm.text_sanitizer import TextSanitizer
from apps.llm.types import ProviderKind

PROVIDERS: Mapping[ProviderKind, str] = {
    "sandbox": "apps.llm.embeddings.sandbox",
    "openai-wire": "apps.llm.embeddings.openai_compatible",
    "litellm": "apps.llm.embeddings.litellm",
}
"""Modules, imported with their clients by the first call that needs them."""

logger = structlog.get_logger(__name__)


async def embed(request: EmbeddingRequest) -> Embeddings:
    """Return the vectors of the request's texts, by one call of the provider, without retries.

    No texts need no call. NUL and lone surrogates are replaced, because servers end the text there
    or refuse it. Neither texts nor keys are logged.

    Raises: ValueError for a text without words, which providers answer with an error or with a
    vector that is near everything; ProviderFailed (InputRefused among them), ProviderUnavailable,
    ProviderTimeout.
    """
    if not request.texts:
        return Embeddings([], 0)
    texts = tuple(map(_sanitized, request.texts))
    if not all(text.strip() for text in texts):
        raise ValueError("A text without words cannot be embedded.")
    provider = cast(EmbeddingProvider, import_module(PROVIDERS[request.provider]))
    try:
        async with asyncio.timeout(request.timeout_seconds) as limit:
            return await provider.embed(replace(request, texts=texts))
    except ProviderError:
        raise
    except Exception as error:
        if isinstance(error, TimeoutError) and limit.expired():
            detail = f"{request.model}: no vectors within {request.timeout_seconds:g} s"
            raise ProviderTimeout(detail, retryable=True) from None
        # The message and the values of an unexpected error may quote a text or a key.
        logger.error(
            "embedding provider broke",
            provider=request.provider,
            model=request.model,
            error=type(error).__name__,
            stack="".join(traceback.format_tb(error.__traceback__)),
        )
        raise ProviderFailed(f"the provider broke with {type(error).__name__}") from None


def _sanitized(text: str) -> str:
    sanitizer = TextSanitizer()
    return sanitizer.feed(text) + sanitizer.flush()
