"""Scripted embedding models for integrators and tests: without an account, and at once.

`sandbox/embed` places texts that share words, or parts of words, near each other. The same text has
the same vector in every process. A token is a word.
"""

import asyncio
import math
import re
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.embeddings.vectors import unit_vector
from apps.llm.errors import ProviderFailed, ProviderUnavailable

SANDBOX_EMBEDDING_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox/embed": "Places texts by their words and parts of words, at once.",
        "sandbox/embed-slow": "The same, after 2 s.",
        "sandbox/embed-fail": "Fails.",
        "sandbox/embed-rate-limited": "Refuses every request and asks to try again in 10 s.",
    }
)
"""Name and one-sentence description of each model."""

SANDBOX_DIMENSIONS = 256
SLOW_SECONDS = 2.0
RETRY_AFTER_SECONDS = 10.0
PART_WEIGHT = 0.5
"""Of three letters beside their whole word."""
FIRST_IDEOGRAPH = "\u2e80"

_WORD = re.compile(r"\w+")


async def embed(request: EmbeddingRequest) -> Embeddings:
    """Embed the texts. Raises: ProviderFailed, ProviderUnavailable, as scripted."""
    match request.model:
        case "sandbox/embed-fail":
            raise ProviderFailed("sandbox/embed-fail failed, as it always does")
        case "sandbox/embed-rate-limited":
            raise ProviderUnavailable(
                "sandbox/embed-rate-limited refused, as it always does",
                retryable=True,
                retry_after=RETRY_AFTER_SECONDS,
            )
        case "sandbox/embed-slow":
            await asyncio.sleep(SLOW_SECONDS)
        case model if model not in SANDBOX_EMBEDDING_MODELS:
            raise ProviderFailed(f"there is no sandbox model {model!r}")
    vectors = []
    for text in request.texts:
        vectors.append(unit_vector(request, place_text(text)))
        await asyncio.sleep(0)  # so that a long batch stops no other task
    return Embeddings(vectors, sum(max(1, len(text.split())) for text in request.texts))


def place_text(text: str) -> "array[float]":
    """Return the vector of a text: each feature adds to one of its numbers, or takes from it."""
    numbers = array("f", bytes(SANDBOX_DIMENSIONS * 4))
    for (name, weight), count in Counter(_features(text)).items():
        digest = zlib.crc32(name.encode("utf-8", "surrogatepass"))
        sign = 1 if digest & 1 << 16 else -1
        numbers[digest % SANDBOX_DIMENSIONS] += sign * weight * (1 + math.log(count))
    if not any(numbers):
        numbers[zlib.crc32(text.encode("utf-8", "surrogatepass")) % SANDBOX_DIMENSIONS] = 1.0
    return numbers


def _features(text: str) -> Iterator[tuple[str, float]]:
    """The words of a text and their parts, each with its weight; longer words say more."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        size, weight, padded = 3, PART_WEIGHT, f"^{word}$"
        if word > FIRST_IDEOGRAPH:  # no spaces between words
            size, weight, padded = min(2, len(word)), 1.0, word
        else:
            yield word, min(len(word), 8) / 4
        for start in range(len(padded) - size + 1):
            yield padded[start : start + size], weight
