from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from apps.api_keys.models import Scope
from apps.api_keys.ninja_auth import ApiKeyAuth, caller_in
from apps.conversations.models import Message, Turn
from apps.conversations.queries import conversation_with, messages_after, turn_with
from apps.conversations.schemas import MessageListAnswer, TurnAnswer
from apps.core.schemas import Cursor, Limit
from apps.credits.queries import charge_of_turn

router = Router(tags=["conversations"], by_alias=True)


@router.get(
    "/conversations/{conversation_id}/messages",
    auth=ApiKeyAuth(Scope.READ),
    response=MessageListAnswer,
)
def list_messages(
    request: HttpRequest,
    conversation_id: str,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """A conversation's messages, oldest first, a page at a time."""
    conversation = conversation_with(caller_in(request).workspace_id, conversation_id)
    page, next_cursor = messages_after(conversation, cursor=cursor, limit=limit)
    data = {"messages": [_shown(message) for message in page], "nextCursor": next_cursor}
    return {"success": True, "data": data}


@router.get(
    "/chatbots/{chatbot_id}/turns/{turn_id}",
    auth=ApiKeyAuth(Scope.CHAT, Scope.READ),
    response=TurnAnswer,
)
def get_turn(request: HttpRequest, chatbot_id: str, turn_id: str) -> dict[str, Any]:
    """A turn's receipt: how it stands, what it used, what it cost and how long it took."""
    turn = turn_with(caller_in(request).workspace_id, turn_id, chatbot_id=chatbot_id)
    return {"success": True, "data": _receipt(turn)}


def _receipt(turn: Turn) -> dict[str, Any]:
    charge = charge_of_turn(turn.workspace_id, turn.id)
    settled = turn.settled_at is not None
    return {
        "turnId": turn.id,
        "conversationId": turn.conversation_id,
        "messageId": turn.message_id,
        "requestId": turn.request_id,
        "status": turn.status,
        "finishReason": turn.finish_reason or None,
        "code": turn.error_code or None,
        "model": turn.model_name,
        "usage": {"inputTokens": turn.input_tokens, "outputTokens": turn.output_tokens},
        "credits": {
            "held": turn.credits_held,
            "charged": turn.credits_charged,
            "released": turn.credits_held - turn.credits_charged if settled else 0,
            "ledgerEntryId": charge.id if charge else None,
        },
        "timings": {
            "queueMs": turn.queue_ms,
            "firstTokenMs": _milliseconds(turn, turn.first_token_at),
            "totalMs": _milliseconds(turn, turn.settled_at),
        },
        "createdAt": turn.created_at.isoformat(),
        "settledAt": turn.settled_at.isoformat() if turn.settled_at else None,
    }


def _milliseconds(turn: Turn, moment: datetime | None) -> int | None:
    """From the turn's opening to a moment, if it has come."""
    if moment is None:
        return None
    return max(0, round((moment - turn.created_at).total_seconds() * 1000))


def _shown(message: Message) -> dict[str, Any]:
    """Never the metadata: it is the caller's own and may name people."""
    return {
        "id": message.id,
        "turnId": message.turn_id,
        "role": message.role,
        "text": message.text,
        "createdAt": message.created_at.isoformat(),
    }
