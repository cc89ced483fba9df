"""How a turn's events are written on the wire: in Parley's own frames, or in another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apps.chat.ai_sdk import stream as ai_sdk
from apps.chat.engine.events import TurnEvent
from apps.chat.http import sse
from apps.core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """`encode` writes the event of a number; `headers` tell a reader what it will read."""

    encode: Callable[[int, TurnEvent], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


PARLEY = StreamFormat(sse.encode_event)
AI_SDK = StreamFormat(ai_sdk.encode_event, ai_sdk.HEADERS)


def get_stream_format(name: str) -> StreamFormat:
    """The protocol that a caller of the chat endpoint chose. Raises ValidationFailed."""
    if name != "ai-sdk":
        raise ValidationFailed({"protocol": ["This must be ai-sdk, or be left out."]})
    return AI_SDK
