"""Request and response schemas of the conversation endpoints."""

from apps.conversations.schemas.conversations import (
    SEARCH_LENGTH,
    ConversationFilterSchema,
    ConversationListSchema,
    ConversationSchema,
    UpdateConversationSchema,
)
from apps.conversations.schemas.messages import MessageListSchema, MessageSchema, RateMessageSchema
from apps.conversations.schemas.turns import Status, TurnResponseSchema, TurnSchema

__all__ = [
    "SEARCH_LENGTH",
    "ConversationFilterSchema",
    "ConversationListSchema",
    "ConversationSchema",
    "MessageListSchema",
    "MessageSchema",
    "RateMessageSchema",
    "Status",
    "TurnResponseSchema",
    "TurnSchema",
    "UpdateConversationSchema",
]
