"""How a turn's events are written on the wire: in Parley's own frames, or in another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apps.chat.ai_sdk import stream as ai_sdk
from apps.chat.engine.events import TurnEvent
from apps.chat.http import sse
from apps.core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class Wire:
    """`frame` writes the event of a number; `headers` tell a reader what it will read."""

    frame: Callable[[int, TurnEvent], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


PARLEY = Wire(sse.frame)
AI_SDK = Wire(ai_sdk.frame, ai_sdk.HEADERS)


def wire_called(name: str) -> Wire:
    """The protocol that a caller of the chat endpoint chose. Raises ValidationFailed."""
    if name != "ai-sdk":
        raise ValidationFailed({"protocol": ["This must be ai-sdk, or be left out."]})
    return AI_SDK
