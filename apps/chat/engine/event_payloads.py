"""The JSON objects of a turn's events: the one place that names them, for every transport."""

from typing import Any

from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)


def event_payload(event: TurnEvent) -> dict[str, Any]:
    """The event as an object: its name as `type`, then its fields."""
    match event:
        case AnswerDelta():
            return {"type": "message.delta", "delta": event.text}
        case TurnStarted():
            return {
                "type": "message.start",
                "conversationId": event.conversation_id,
                "messageId": event.message_id,
                "turnId": event.turn_id,
            }
        case SourcesFound():
            return {
                "type": "message.sources",
                "knowledge": event.knowledge,
                "sources": [source.data() for source in event.sources],
            }
        case TurnEnded():
            return {"type": "message.end", "success": True, "data": event.data()}
        case TurnFailed() | TurnInterrupted():
            return {"type": "error", **event.error.body()}
