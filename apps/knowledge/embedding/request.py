"""Build requests to an embedding model from its catalogue entry."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.chatbots.models import EmbeddingModel
from apps.llm.embeddings.types import EmbeddingRequest
from apps.llm.tokens import ENGLISH_LETTERS_PER_TOKEN, estimate_tokens

LONGEST_WORD = 60
"""Characters that a cut may go back to end between two words."""


@dataclass(frozen=True, slots=True)
class Input:
    """A text as it is sent, with its prefix. `is_cut`: its end is missing."""

    text: str
    is_cut: bool = False

    @property
    def tokens(self) -> int:
        """The estimated tokens."""
        return estimate_tokens(self.text)

    def shortened(self) -> "Input":
        """The first half."""
        return Input(_beginning(self.text, len(self.text.encode()) // 2), is_cut=True)


def fit_input(model: EmbeddingModel, prefix: str, text: str) -> Input:
    """Return the text with its prefix, cut to what the model reads at once, by our estimate.

    Raises ValueError for a text without words: providers refuse it, or place it near everything.
    """
    text = text.strip()
    if not text:
        raise ValueError("A text without words cannot be embedded.")
    most = model.max_input_tokens * ENGLISH_LETTERS_PER_TOKEN
    whole = (prefix + text).encode("utf-8", "replace").decode()
    if len(whole) * 4 <= most or len(whole.encode()) <= most:
        return Input(whole)
    return Input(_beginning(whole, most), is_cut=True)


def build_request(
    model: EmbeddingModel, inputs: Sequence[Input], timeout_seconds: float
) -> EmbeddingRequest:
    """Return the request for the vectors of these inputs."""
    return EmbeddingRequest(
        provider=model.provider,  # type: ignore[arg-type]
        model=model.provider_model,
        texts=tuple(each.text for each in inputs),
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        timeout_seconds=timeout_seconds,
        dimensions=model.dimensions,
    )


def _beginning(text: str, most_bytes: int) -> str:
    """The first bytes of a text, up to the end of a word if that is near."""
    cut = text.encode()[:most_bytes].decode(errors="ignore")
    words, space, rest = cut.rpartition(" ")
    return words if space and len(rest) <= LONGEST_WORD else cut
