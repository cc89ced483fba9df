from django.contrib import admin

from apps.audit.models import AuditEntry
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "workspace", "actor_label", "action", "target_label", "ip"]
    list_select_related = ["workspace"]
    list_filter = ["actor_kind", ("created_at", CreatedSinceFilter)]
    search_fields = ["workspace__slug", "actor_label", "action", "target_id", "request_id"]
    search_help_text = "Workspace slug, actor, action or ID"
    workspace_ordering = ("-created_at", "-pk")
