from django.contrib import admin

from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin
from apps.leads.models import CapturedField, Lead, Reading


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    """Read-only: staff can find leads, but only their workspace changes them."""

    list_display = ["name", "email", "phone", "workspace", "chatbot", "status", "created_at"]
    list_display_links = ["name", "email", "phone"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = ["status", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug", "email__iexact", "name__iexact", "phone"]
    search_conditions = {"phone": {"phone__startswith": "+"}}
    exclude = ["metadata"]


@admin.register(CapturedField)
class CapturedFieldAdmin(ReadOnlyAdmin):
    """Citations without their values, which are personal data."""

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
