"""Erasing conversations: one conversation, all of one end user, or all of a workspace."""

from apps.conversations.erasure.conversation import (
    delete_conversation,
    erase_conversation,
    erase_deleted_conversations,
)
from apps.conversations.erasure.end_user import find_end_user_conversations
from apps.conversations.erasure.workspace import erase_workspace

__all__ = [
    "delete_conversation",
    "erase_conversation",
    "erase_deleted_conversations",
    "erase_workspace",
    "find_end_user_conversations",
]
