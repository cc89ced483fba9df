from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_keys.models import Scope
from apps.api_keys.ninja_auth import ApiKeyAuth, caller_in
from apps.conversations.models import Message
from apps.conversations.queries import conversation_with, messages_after

router = Router(tags=["conversations"])


@router.get("/conversations/{conversation_id}/messages", auth=ApiKeyAuth(Scope.READ))
def list_messages(
    request: HttpRequest,
    conversation_id: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """A conversation's messages, oldest first, a page at a time."""
    conversation = conversation_with(caller_in(request).workspace_id, conversation_id)
    page, next_cursor = messages_after(conversation, cursor=cursor, limit=limit)
    data = {"messages": [_shown(message) for message in page], "nextCursor": next_cursor}
    return {"success": True, "data": data}


def _shown(message: Message) -> dict[str, Any]:
    """Never the metadata: it is the caller's own and may name people."""
    return {
        "id": message.id,
        "turnId": message.turn_id,
        "role": message.role,
        "text": message.text,
        "createdAt": message.created_at.isoformat(),
    }
