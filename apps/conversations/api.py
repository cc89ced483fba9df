"""REST endpoints for conversations, messages, ratings and turns."""

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.conversations import erasure, queries
from apps.conversations.annotations import edit_conversation, rate_answer, remove_rating
from apps.conversations.citations import citations_of
from apps.conversations.errors import ConversationBusy, MessageNotAnAnswer
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Message, RatingValue
from apps.conversations.schemas import (
    ConversationFilterSchema,
    ConversationListSchema,
    ConversationSchema,
    MessageListSchema,
    MessageSchema,
    RateMessageSchema,
    TurnResponseSchema,
    TurnSchema,
    UpdateConversationSchema,
)
from apps.conversations.summaries import get_summary, load_summaries, with_summary_fields
from apps.credits.queries import charge_for_turn

router = Router(tags=["conversations"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
RATE = ApiKeyAuth(Scope.CHAT, Scope.MANAGE)
DETAIL = "/conversations/{conversation_id}"
RATING = "/conversations/{conversation_id}/messages/{message_id}/rating"


@router.get("/conversations", auth=READ, response=SuccessSchema[ConversationListSchema])
def list_conversations(
    request: HttpRequest,
    filters: Query[ConversationFilterSchema],
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SuccessSchema[ConversationListSchema]:
    """List the workspace's conversations, the one with the newest message first."""
    given = {name: value for name, value in filters.dict().items() if value not in (None, "")}
    page = paginate_newest_first(
        with_summary_fields(filter_conversations(get_caller(request).workspace_id, **given)),
        cursor=cursor,
        limit=limit,
        order_field="sort_time",
    )
    rows = [ConversationSchema.from_summary(row) for row in load_summaries(page.rows)]
    return SuccessSchema(
        data=ConversationListSchema(conversations=rows, next_cursor=page.next_cursor)
    )


@router.get(DETAIL, auth=READ, response=SuccessSchema[ConversationSchema])
def get_conversation(
    request: HttpRequest, conversation_id: str
) -> SuccessSchema[ConversationSchema]:
    """Get one conversation."""
    conversation = queries.get_conversation(get_caller(request).workspace_id, conversation_id)
    return SuccessSchema(data=ConversationSchema.from_summary(get_summary(conversation)))


@router.patch(DETAIL, auth=MANAGE, response=SuccessSchema[ConversationSchema])
def update_conversation(
    request: HttpRequest, conversation_id: str, body: UpdateConversationSchema
) -> SuccessSchema[ConversationSchema]:
    """Set or remove the title and the note of a conversation."""
    given = {name: value or "" for name, value in body.dict(exclude_unset=True).items()}
    conversation = edit_conversation(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        actor=caller_actor(request),
        **given,
    )
    return SuccessSchema(data=ConversationSchema.from_summary(get_summary(conversation)))


@router.delete(
    DETAIL,
    auth=MANAGE,
    response=SuccessSchema[DeletedSchema],
    openapi_extra=raises(ConversationBusy),
)
def delete_conversation(request: HttpRequest, conversation_id: str) -> SuccessSchema[DeletedSchema]:
    """Permanently delete a conversation with its messages and ratings.

    Its leads are kept, and its credits are not returned.
    """
    erasure.delete_conversation(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        actor=caller_actor(request),
    )
    return SuccessSchema(data=DeletedSchema(id=conversation_id))


@router.get(f"{DETAIL}/messages", auth=READ, response=SuccessSchema[MessageListSchema])
def list_messages(
    request: HttpRequest,
    conversation_id: str,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SuccessSchema[MessageListSchema]:
    """List the messages of a conversation, oldest first."""
    conversation = queries.get_conversation(get_caller(request).workspace_id, conversation_id)
    page, next_cursor = queries.get_message_page(conversation, cursor=cursor, limit=limit)
    citations = citations_of(message.turn for message in page)
    rows = [MessageSchema.from_message(each, citations.get(each.turn_id, ())) for each in page]
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
    """Rate an assistant message. An earlier rating is replaced."""
    message = rate_answer(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        message_id=message_id,
        value=RatingValue(body.rating),
        comment=(body.comment or "").strip(),
        actor=caller_actor(request),
    )
    return SuccessSchema(data=_answer_schema(message))


@router.delete(
    RATING,
    auth=RATE,
    response=SuccessSchema[MessageSchema],
    openapi_extra=raises(MessageNotAnAnswer),
)
def clear_rating(
    request: HttpRequest, conversation_id: str, message_id: str
) -> SuccessSchema[MessageSchema]:
    """Remove the rating of an assistant message, if it has one."""
    message = remove_rating(
        workspace_id=get_caller(request).workspace_id,
        conversation_id=conversation_id,
        message_id=message_id,
    )
    return SuccessSchema(data=_answer_schema(message))


@router.get(
    "/chatbots/{chatbot_id}/turns/{turn_id}",
    auth=ApiKeyAuth(Scope.CHAT, Scope.READ),
    response=TurnResponseSchema,
)
def get_turn(request: HttpRequest, chatbot_id: str, turn_id: str) -> TurnResponseSchema:
    """Get the receipt of a turn: status, token usage, credits and timings."""
    turn = queries.get_turn(get_caller(request).workspace_id, turn_id, chatbot_id=chatbot_id)
    charge = charge_for_turn(turn.workspace_id, turn.id)
    citations = citations_of([turn]).get(turn.id, ())
    receipt = TurnSchema.from_turn(
        turn,
        ledger_entry_id=charge.id if charge else None,
        citations=citations,
        answer=queries.get_answer_text(turn) if citations else "",
    )
    return TurnResponseSchema(data=receipt)


def _answer_schema(answer: Message) -> MessageSchema:
    citations = citations_of([answer.turn]).get(answer.turn_id, ())
    return MessageSchema.from_message(answer, citations)
