from __future__ import annotations

from django.contrib import admin

from apps.core.admin import HistoryAdmin
from apps.webhooks.models import Event


@admin.register(Event)
class EventAdmin(HistoryAdmin):
    list_display = ["created_at", "workspace", "type"]
    list_select_related = ["workspace"]
    list_filter = ["type", "created_at"]
    search_fields = ["=workspace__slug", "=id"]
    exclude = ["data"]
