from __future__ import annotations

from django.contrib import admin

from apps.core.admin import StaffAdmin
from apps.workspaces.models import Member, Workspace


@admin.register(Workspace)
class WorkspaceAdmin(StaffAdmin):
    list_display = ["slug", "name", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["slug", "name", "=id"]
    readonly_fields = ["id", "created_at"]


@admin.register(Member)
class MemberAdmin(StaffAdmin):
    list_display = ["workspace", "user", "role", "created_at"]
    list_select_related = ["workspace", "user"]
    list_filter = ["role"]
    search_fields = ["workspace__slug", "user__email"]
    autocomplete_fields = ["workspace", "user"]
    readonly_fields = ["id", "created_at"]
