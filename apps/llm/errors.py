"""Errors of model providers. `apps.chat.errors` maps them to the API's errors.

    ProviderError
    ├── ProviderFailed       502 MODEL_ERROR        it refused the request, or broke
    │   └── InputRefused     for what it was sent; only of embedding models
    ├── ContentFiltered      ends the answer with the finish reason content_filter
    ├── ProviderUnavailable  503 MODEL_UNAVAILABLE  overloaded, rate limited, unreachable, no key
    └── ProviderTimeout      504 MODEL_TIMEOUT      too slow: first token, next token, or in total

`UnknownModel` and `KeyNotAllowed`, each a `ValueError`, are raised only by the catalogue, before
any model is called.
"""


class ProviderError(Exception):
    """A provider gave no answer, or only a part of one.

    `detail` is one sentence for the log and the operator. It is never shown to a caller, and
    never contains a key or a message's text.
    `retryable`: the same request may well succeed a moment later.
    `retry_after`: seconds that the provider asked to wait, if it said so.
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


class InputRefused(ProviderFailed):
    """The provider refused the texts to embed: too many at once, one too long, or another reason.

    Only fewer or shorter texts show which. `says_too_long`: its message speaks of a length.
    """

    def __init__(self, detail: str, *, says_too_long: bool = False) -> None:
        super().__init__(detail)
        self.says_too_long = says_too_long


class ContentFiltered(ProviderError):
    """The provider refuses the prompt or the answer for what it says."""


class ProviderUnavailable(ProviderError):
    """The provider is overloaded, rate limited or unreachable, or its key is not configured."""


class ProviderTimeout(ProviderError):
    """The provider was too slow; `detail` says which time-out was exceeded."""


class KeyNotAllowed(ValueError):
    """The setting MODEL_API_KEYS does not let this key go to this address."""


class UnknownModel(ValueError):
    """No provider is known for this model id; the text says what would help."""
