"""The events of a turn, in order: started, its sources if it uses knowledge, text, then ended or
failed.

Numbers belong to the turn: only what its own log says, and its record can repeat, has one. What
somebody else has to say to a follower is an interruption, which has none.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from apps.chat.errors import error_from_code
from apps.conversations.citations import AnswerSource, sources_data
from apps.core.errors import ApiError


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The turn is committed: its ids will not change."""

    conversation_id: str
    message_id: str
    turn_id: str


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """What came of the search for passages (`conversations.models.Knowledge`), and the passages.
    The second event of every turn that uses knowledge and gets so far."""

    knowledge: str
    sources: tuple[AnswerSource, ...]


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The answer is committed and charged. `knowledge`: "" in a turn that did not use any."""

    response: str
    conversation_id: str
    message_id: str
    turn_id: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    charged: int
    balance: int
    knowledge: str = ""
    sources: tuple[AnswerSource, ...] = ()

    def data(self) -> dict[str, Any]:
        """The `data` object of the JSON response and of the last frame of a stream."""
        data: dict[str, Any] = {
            "response": self.response,
            "conversationId": self.conversation_id,
            "messageId": self.message_id,
            "turnId": self.turn_id,
            "finishReason": self.finish_reason,
            "usage": {"inputTokens": self.input_tokens, "outputTokens": self.output_tokens},
            "credits": {"charged": self.charged, "balance": self.balance},
        }
        if self.knowledge:
            data["knowledge"] = self.knowledge
            data["sources"] = sources_data(self.sources, self.response)
        return data


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """There will be no more text: the turn has settled with this error."""

    error: ApiError


@dataclass(frozen=True, slots=True)
class TurnInterrupted:
    """A follower is told no more, for this reason; the turn itself may go on, or have settled.

    It has no number, so whoever follows again after the last number misses nothing.
    """

    error: ApiError


NumberedEvent = TurnStarted | SourcesFound | AnswerDelta | TurnEnded | TurnFailed
TurnEvent = NumberedEvent | TurnInterrupted
LastEvent = TurnEnded | TurnFailed | TurnInterrupted
"""What a follower is told last."""

_TYPE_BY_KIND: dict[str, type[TurnStarted | SourcesFound | AnswerDelta | TurnEnded]] = {
    "started": TurnStarted,
    "sources": SourcesFound,
    "delta": AnswerDelta,
    "ended": TurnEnded,
}
_KINDS_WITH_SOURCES = ("sources", "ended")
"""Kinds whose last field is a tuple of sources."""
_KIND_BY_TYPE = {event_type: kind for kind, event_type in _TYPE_BY_KIND.items()}


def encode_event(event: NumberedEvent) -> list[Any]:
    """The event as a list of plain values, to be sent to another process."""
    if isinstance(event, TurnFailed):
        return ["failed", event.error.code, event.error.retry_after]
    return [_KIND_BY_TYPE[type(event)], *astuple(event)]


def decode_event(values: Sequence[Any]) -> NumberedEvent:
    """The event that `encode_event` made these values of."""
    kind, *fields = values
    if kind == "failed":
        code, retry_after = fields
        error = error_from_code(code)
        error.retry_after = retry_after
        return TurnFailed(error)
    # A process of an earlier version sends the end of a turn without sources.
    if kind in _KINDS_WITH_SOURCES and isinstance(fields[-1], list | tuple):
        *fields, sources = fields
        fields.append(tuple(AnswerSource(*source) for source in sources))
    return _TYPE_BY_KIND[kind](*fields)
