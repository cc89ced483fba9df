from __future__ import annotations

from django.contrib import admin

from apps.conversations.models import Conversation, Message, Turn
from apps.core.admin import HistoryAdmin


@admin.register(Conversation)
class ConversationAdmin(HistoryAdmin):
    list_display = ["id", "workspace", "chatbot", "created_at", "last_message_at"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = ["created_at"]
    search_fields = ["=id", "workspace__slug", "chatbot__name"]


@admin.register(Turn)
class TurnAdmin(HistoryAdmin):
    list_display = ["id", "workspace", "status", "model_name", "credits_charged", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", "error_code", "model_name", "created_at"]
    search_fields = ["=id", "=request_id", "workspace__slug", "=conversation__id"]
    exclude = ["text_so_far"]


@admin.register(Message)
class MessageAdmin(HistoryAdmin):
    """What people said stays closed to staff here: they see that, when and where, not what."""

    list_display = ["id", "workspace", "role", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["role", "created_at"]
    search_fields = ["=id", "=conversation__id", "workspace__slug"]
    exclude = ["text", "metadata"]
