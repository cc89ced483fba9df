"""Conversations, their messages and ratings, and the receipts of turns over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.conversations import annotations, erasure
from apps.conversations.errors import ConversationBusy, MessageNotAnAnswer
from apps.conversations.filters import filter_conversations
from apps.conversations.models import RatingValue, Turn
from apps.conversations.queries import get_conversation, get_message_page, get_turn
from apps.conversations.schemas import (
    ConversationFilterSchema,
    ConversationListSchema,
    ConversationSchema,
    MessageListSchema,
    MessageSchema,
    RateMessageSchema,
    TurnResponseSchema,
    UpdateConversationSchema,
)
from apps.conversations.summaries import get_summary, load_summaries, with_summary_fields
from apps.credits.queries import charge_for_turn

router = Router(tags=["conversations"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
RATE = ApiKeyAuth(Scope.CHAT, Scope.MANAGE)
ONE = "/conversations/{conversation_id}"
RATING = "/conversations/{conversation_id}/messages/{message_id}/rating"


@router.get("/conversations", auth=READ, response=SuccessSchema[ConversationListSchema])
def list_conversations(
    request: HttpRequest,
    filters: Query[ConversationFilterSchema],
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SuccessSchema[ConversationListSchema]:
    """The workspace's conversations, those with the newest message first."""
    given = {name: value for name, value in filters.dict().items() if value not in (None, "")}
    found = with_summary_fields(filter_conversations(get_caller(request).workspace_id, **given))
    page = paginate_newest_first(found, cursor=cursor, limit=limit, order_field="sort_time")
    rows = [ConversationSchema.of(row) for row in load_summaries(page.rows)]
    return SuccessSchema(
        data=ConversationListSchema(conversations=rows, next_cursor=page.next_cursor)
    )


@router.get(ONE, auth=READ, response=SuccessSchema[ConversationSchema])
def get_conversation(
    request: HttpRequest, conversation_id: str
) -> SuccessSchema[ConversationSchema]:
    """One conversation."""
    conversation = get_conversation(get_caller(request).workspace_id, conversation_id)
    return SuccessSchema(data=ConversationSchema.of(get_summary(conversation)))


@router.patch(ONE, auth=MANAGE, response=SuccessSchema[ConversationSchema])
def update_conversation(
    request: HttpRequest, conversation_id: str, body: UpdateConversationSchema
) -> SuccessSchema[ConversationSchema]:
    """Give a conversation a title or a note of your own, or take them away."""
    given = {name: value or "" for name, value in body.dict(exclude_unset=True).items()}
    conversation = annotations.edit_conversation(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        actor=caller_actor(request),
        **given,
    )
    return SuccessSchema(data=ConversationSchema.of(get_summary(conversation)))


@router.delete(
    ONE, auth=MANAGE, response=SuccessSchema[DeletedSchema], openapi_extra=raises(ConversationBusy)
)
def delete_conversation(request: HttpRequest, conversation_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a conversation for good, with its messages and ratings. Leads stay, and so do the
    credits that it took."""
    erasure.delete_conversation(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        actor=caller_actor(request),
    )
    return SuccessSchema(data=DeletedSchema(id=conversation_id))


@router.get(f"{ONE}/messages", auth=READ, response=SuccessSchema[MessageListSchema])
def list_messages(
    request: HttpRequest,
    conversation_id: str,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SuccessSchema[MessageListSchema]:
    """A conversation's messages, oldest first, a page at a time."""
    conversation = get_conversation(get_caller(request).workspace_id, conversation_id)
    page, next_cursor = get_message_page(conversation, cursor=cursor, limit=limit)
    rows = [MessageSchema.of(message) for message in page]
    return SuccessSchema(data=MessageListSchema(messages=rows, next_cursor=next_cursor))


@router.put(
    RATING,
    auth=RATE,
    response=SuccessSchema[MessageSchema],
    openapi_extra=raises(MessageNotAnAnswer),
)
def rate_message(
    request: HttpRequest, conversation_id: str, message_id: str, body: RateMessageSchema
) -> SuccessSchema[MessageSchema]:
    """Rate an answer of the assistant, in place of any rating that it has."""
    message = annotations.rate_answer(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        message_id=message_id,
        value=RatingValue(body.rating),
        comment=(body.comment or "").strip(),
        actor=caller_actor(request),
    )
    return SuccessSchema(data=MessageSchema.of(message))


@router.delete(
    RATING,
    auth=RATE,
    response=SuccessSchema[MessageSchema],
    openapi_extra=raises(MessageNotAnAnswer),
)
def clear_rating(
    request: HttpRequest, conversation_id: str, message_id: str
) -> SuccessSchema[MessageSchema]:
    """Take the rating of an answer away, if it has one."""
    message = annotations.clear_rating(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        message_id=message_id,
    )
    return SuccessSchema(data=MessageSchema.of(message))


@router.get(
    "/chatbots/{chatbot_id}/turns/{turn_id}",
    auth=ApiKeyAuth(Scope.CHAT, Scope.READ),
    response=TurnResponseSchema,
)
def get_turn(request: HttpRequest, chatbot_id: str, turn_id: str) -> dict[str, Any]:
    """A turn's receipt: how it stands, what it used, what it cost and how long it took."""
    turn = get_turn(get_caller(request).workspace_id, turn_id, chatbot_id=chatbot_id)
    return {"success": True, "data": _receipt(turn)}


def _receipt(turn: Turn) -> dict[str, Any]:
    charge = charge_for_turn(turn.workspace_id, turn.id)
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
