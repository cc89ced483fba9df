"""The types that pass between the chat engine and a model provider."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
ProviderKind = Literal["sandbox", "openai-wire", "litellm"]
FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt. `context`: what the model is shown before the content, such as
    passages that belong to a question."""

    role: Role
    content: str
    context: str = ""

    @property
    def text(self) -> str:
        """The whole message as it is sent."""
        return self.context + self.content if self.context else self.content


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time-outs of a call, in seconds.

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
    """A request for one completion.

    `model` is the id as its provider names it (`ResolvedModel.model`).
    `temperature`, `max_tokens`: None leaves them to the provider.
    `api_base`: "" leaves it to the provider, if the provider knows one.
    `api_key_env`: the environment variable with the API key, read when the call is made; ""
    when the provider needs no key.
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
    """The next piece of the answer. `chunks`: how many of the provider's chunks it joins."""

    text: str
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of what the model thinks before it answers. It is counted, never shown."""

    text: str
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """The provider sent something that is neither text nor reasoning: the time-outs restart."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The tokens that the provider counted so far; None for a count that it did not give."""

    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the model stopped. "length": it reached `max_tokens` or the end of its context.

    More may follow: some providers send a reason with every chunk.
    """

    reason: FinishReason


ModelEvent = TextDelta | ReasoningDelta | SignOfLife | UsageReport | Finish

EventHandler = Callable[[ModelEvent], None]
"""Called by a provider with each event as it comes, in the event loop. It must not block."""

DeltaHandler = Callable[[TextDelta], None]
"""Called with each non-empty piece of an answer, in the event loop. It must not block or raise."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that a completion used, by the provider's report or by our measure."""

    input_tokens: int
    output_tokens: int


class Provider(Protocol):
    """A kind of provider: a module with a `complete` function.

    `complete` passes on text and reasoning as they come, and every report of usage and every
    finish reason; the last ones count. It returns only after a complete answer, raises a
    `ProviderError` otherwise, and closes its connection when it is cancelled. Retries, and
    time-outs other than `connect`, are handled by `apps.llm.services`.
    """

    async def complete(self, request: ModelRequest, on_event: EventHandler) -> None: ...
