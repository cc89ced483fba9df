"""What can go wrong with a model, as one tree. The chat engine gives each its place on the wire.

    ProviderError
    ├── ProviderFailed       502 MODEL_ERROR        the provider refused, or broke
    ├── ProviderUnavailable  503 MODEL_UNAVAILABLE  overloaded, rate limited, unreachable, no key
    └── ProviderTimeout      504 MODEL_TIMEOUT      too slow: first token, next token, or in all

`UnknownModel`, a `ValueError`, belongs to the catalogue alone: no answer was asked for yet.
"""

from __future__ import annotations


class ProviderError(Exception):
    """A model gave no answer, or only a part of one.

    `detail` is one sentence for the log and the operator. It is never shown to a caller, and
    never carries a key or a message's text.
    `retryable`: the same request may well succeed a moment later.
    `retry_after`: seconds that the provider asked for, when it named them.
    """

    def __init__(
        self, detail: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after


class ProviderFailed(ProviderError):
    """The provider refused the request, or broke while answering."""


class ProviderUnavailable(ProviderError):
    """The provider is overloaded, rate limited or out of reach, or its key is not configured."""


class ProviderTimeout(ProviderError):
    """The provider was too slow; `detail` says which limit it met."""


class UnknownModel(ValueError):
    """No provider is known for this model id; the text says what would help."""
