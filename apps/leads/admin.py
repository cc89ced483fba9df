from __future__ import annotations

from django.contrib import admin

from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin
from apps.leads.models import CapturedField, Lead, Reading


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    """A workspace's own data: staff find a lead, and leave changing it to its workspace."""

    list_display = ["name", "email", "phone", "workspace", "chatbot", "status", "created_at"]
    list_display_links = ["name", "email", "phone"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = ["status", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug", "email__iexact", "name__iexact", "phone"]
    search_conditions = {"phone": {"phone__startswith": "+"}}
    exclude = ["metadata"]


@admin.register(CapturedField)
class CapturedFieldAdmin(ReadOnlyAdmin):
    """That a detail was given, when and where; what it says is the lead's."""

    list_display = ["id", "workspace", "lead", "field", "created_at"]
    list_select_related = ["workspace", "lead"]
    list_filter = ["field", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "lead_id", "message_id"]
    exclude = ["value"]


@admin.register(Reading)
class ReadingAdmin(ReadOnlyAdmin):
    list_display = ["turn_id", "workspace", "created_at"]
    list_select_related = ["workspace"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["turn_id"]
