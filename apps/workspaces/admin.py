from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.infrastructure.admin import (
    CreatedSinceFilter,
    ReadOnlyAdmin,
    StaffAdmin,
    detail_action,
    redirect_to_admin,
)
from apps.workspaces.models import Erasure, Invitation, Letter, Member, Workspace
from apps.workspaces.services import make_owner


@admin.register(Workspace)
class WorkspaceAdmin(StaffAdmin):
    list_display = ["slug", "name", "created_at", "deletion_due_at", "closed_at"]
    list_filter = ["created_at", "closed_at"]
    search_fields = ["slug", "name", "=id"]
    readonly_fields = ["id", "created_at", "deletion_due_at", "closed_at", "erased_at"]
    change_form_outer_after_template = "admin/workspaces/sections.html"
    actions_detail = ["adjust"]

    @detail_action(description="Adjust credits", permission="adjust", icon="add_card")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect_to_admin("adjustments_adjustment_adjust", workspace=object_id)

    def has_adjust_permission(self, request: HttpRequest, *_: Any) -> bool:
        has_perm = request.user.has_perm
        return has_perm("adjustments.adjust_credits") or has_perm("adjustments.give_goodwill")


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    """Read-only: owners manage members. Staff can promote one if no owner is reachable."""

    list_display = ["workspace", "user", "role", "created_at"]
    list_select_related = ["workspace", "user"]
    list_filter = ["role"]
    search_fields = ["workspace__slug", "user__email__iexact"]
    readonly_fields = ["id", "created_at"]
    actions = ["make_owners"]

    @admin.action(description="Make the selected members owners", permissions=["make_owner"])
    def make_owners(self, request: HttpRequest, members: QuerySet[Member]) -> None:
        for member in members.select_related("workspace"):
            make_owner(member=member, actor=staff_actor(signed_in_user(request), request))

    def has_make_owner_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("workspaces.change_member")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["workspace", "email", "role", "created_at", "expires_at", "accepted_at"]
    list_select_related = ["workspace"]
    list_filter = ["role", "created_at"]
    search_fields = ["workspace__slug", "email__iexact"]


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Erasure requests of end users. Staff do not see the user id."""

    list_display = ["created_at", "workspace", "asked_by", "conversations", "leads", "done_at"]
    list_select_related = ["workspace", "asked_by"]
    list_filter = ["created_at", "done_at"]
    search_fields = ["workspace__slug", "=id"]
    exclude = ["user_id"]


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """Emails to members and invited people: whether each was sent."""

    list_display = ["created_at", "workspace", "kind", "recipient", "status", "attempts", "error"]
    list_select_related = ["workspace"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug"]
    workspace_ordering = ("-last_attempt_at",)
