"""What flows between the chat engine and a model provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
ProviderKind = Literal["sandbox", "openai-wire", "litellm"]
FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One line of a prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a model may take, in seconds.

    `connect`: to accept the connection, each time it is tried.
    `first_token`: from the call to the first sign of life, retries included.
    `between_tokens`: from one sign of life to the next.
    `total`: from the call to the last token.
    """

    connect: float
    first_token: float
    between_tokens: float
    total: float


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to one model.

    `model` is the id as its provider names it (`ResolvedModel.model`).
    `temperature`, `max_tokens`: None leaves them to the provider.
    `api_base`: "" leaves it to the provider, where the provider knows one.
    `api_key_env`: the environment variable that holds the key, read when the call is made; ""
    when the provider wants no key.
    `user`: an opaque id of the end user for the provider's abuse reports; "" sends none.
    """

    provider: ProviderKind
    model: str
    messages: tuple[ChatMessage, ...]
    temperature: float | None
    max_tokens: int | None
    api_base: str
    api_key_env: str
    timeouts: Timeouts
    user: str = ""
    supports_streaming: bool = True


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer. From a provider, an empty one is a sign of life: the model
    is at work (reasoning, for one) and the time-outs start again."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens the provider counted, or our estimate where it counts none."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the model stopped. "length": it met `max_tokens` or the end of its context."""

    reason: FinishReason


ModelEvent = TextDelta | Usage | Finish


EventHandler = Callable[[ModelEvent], None]
"""Told each event as it comes. It runs in the event loop, and neither waits nor fails."""


class Provider(Protocol):
    """A kind of provider. A module with an `complete` function is one.

    `complete` tells the answer's text as it comes; `Usage` and `Finish` at most once each, when
    known. It ends normally only after a whole answer, raises a `ProviderError` otherwise, and
    lets go of its connection when it is cancelled. Retries and the time-outs other than `connect`
    are not its business.
    """

    async def complete(self, request: ModelRequest, on_event: EventHandler) -> None: ...
