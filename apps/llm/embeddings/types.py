"""The types that pass between search or indexing and an embedding model's provider."""

from array import array
from dataclasses import dataclass
from typing import Protocol

from apps.llm.types import ProviderKind


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A request for the vectors of some texts.

    `model` is the id as its provider names it (`ResolvedModel.model`).
    `texts`: each with words in it; prefixes that the model wants are part of them.
    `api_base`, `api_key_env`: as in `ModelRequest`.
    `timeout_seconds`: from the call to the last byte.
    `dimensions`: of each vector; an answer with others is refused.
    """

    provider: ProviderKind
    model: str
    texts: tuple[str, ...]
    api_base: str
    api_key_env: str
    timeout_seconds: float
    dimensions: int


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors, in the order of the texts, each of length 1 and of `dimensions` floats.

    `input_tokens`: by the provider's count, or an estimate if it gave none that can be true.
    """

    vectors: "list[array[float]]"
    input_tokens: int


class EmbeddingProvider(Protocol):
    """A kind of provider: a module with an `embed` function, which raises a `ProviderError`.

    The time-out is handled by `apps.llm.embeddings.services`.
    """

    async def embed(self, request: EmbeddingRequest) -> Embeddings: ...
