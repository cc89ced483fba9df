"""Check what a provider returned: one vector a text, of the right dimensions, of length 1."""

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.errors import ProviderFailed
from apps.llm.tokens import estimate_tokens

FLOAT_BYTES = 4
TEMPLATE_TOKENS = 16
"""The most that a model adds to a text: begin, end, an instruction of a few words."""


class OtherDimensions(ProviderFailed):
    """The vectors have other dimensions than the catalogue says. `found`: how many."""

    def __init__(self, request: EmbeddingRequest, found: int) -> None:
        super().__init__(
            f"{request.model}: its vectors have {found} dimensions, and the catalogue says "
            f"{request.dimensions}"
        )
        self.found = found


def build_embeddings(
    request: EmbeddingRequest, items: Sequence[object], reported_tokens: object
) -> Embeddings:
    """Build the result from `data` of OpenAI's answer. Raises ProviderFailed, OtherDimensions."""
    if len(items) != len(request.texts):
        raise ProviderFailed(
            f"{request.model}: the provider returned {len(items)} vectors for "
            f"{len(request.texts)} texts"
        )
    vectors = [_vector(request, item) for item in _in_order(request, items)]
    return Embeddings(vectors, _input_tokens(request, reported_tokens))


def unit_vector(request: EmbeddingRequest, numbers: Sequence[float]) -> "array[float]":
    """Scale numbers to length 1. Raises ProviderFailed, OtherDimensions."""
    if len(numbers) != request.dimensions:
        raise OtherDimensions(request, len(numbers))
    try:
        length = math.hypot(*numbers)
        if not (math.isfinite(length) and length > 0):
            raise ProviderFailed(
                f"{request.model}: the provider returned a vector of zeros, or with numbers that "
                "are not finite"
            )
        return array("f", [number / length for number in numbers])
    except (TypeError, OverflowError):
        raise ProviderFailed(f"{request.model}: the provider returned what is no vector") from None


def _in_order(request: EmbeddingRequest, items: Sequence[object]) -> list[dict[str, Any]]:
    """The items in the order of the texts: by their indexes, if they have any."""
    found = [item for item in items if isinstance(item, dict)]
    if len(found) != len(items):
        raise ProviderFailed(f"{request.model}: the provider returned what is no vector")
    indexes = [item.get("index") for item in found]
    if any(index is None for index in indexes) or len(found) == 1:
        return found
    by_index = dict(zip(indexes, found, strict=True))
    if by_index.keys() != set(range(len(found))):
        raise ProviderFailed(f"{request.model}: the provider numbered its vectors wrongly")
    return [by_index[index] for index in range(len(found))]


def _vector(request: EmbeddingRequest, item: dict[str, Any]) -> "array[float]":
    embedding = item.get("embedding")
    if isinstance(embedding, str):
        return unit_vector(request, _decode(request, embedding))
    if isinstance(embedding, list):
        if len(embedding) == 1 and isinstance(embedding[0], list):
            embedding = embedding[0]  # llama.cpp
        return unit_vector(request, embedding)
    raise ProviderFailed(f"{request.model}: the provider returned what is no vector")


def _decode(request: EmbeddingRequest, text: str) -> "array[float]":
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or len(data) % FLOAT_BYTES:
        raise ProviderFailed(f"{request.model}: the provider returned a vector that is cut")
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _input_tokens(request: EmbeddingRequest, reported: object) -> int:
    """The reported count; an estimate if it is none, or more than the texts have bytes."""
    texts = request.texts
    most = sum(len(text.encode()) + TEMPLATE_TOKENS for text in texts)
    if isinstance(reported, int) and not isinstance(reported, bool) and 0 < reported <= most:
        return reported
    return sum(map(estimate_tokens, texts))
