from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.audit.staff_access import ReasonForm
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin, detail_action
from apps.leads.models import CapturedField, Lead, Reading
from apps.leads.staff_access import read_with_reason


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    """Leads without their contact details, which are shown only for a reason."""

    actions_detail = ["read"]
    list_display = ["id", "workspace", "chatbot", "status", "created_at"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = ["status", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug"]
    exclude = ["name", "email", "phone", "source", "metadata"]

    @detail_action(description="Read contact details", permission="read", icon="visibility")
    def read(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        lead: Lead = self.get_object_or_404(request, object_id)
        form = ReasonForm(request.POST or None)
        captured: list[CapturedField] | None = None
        if form.is_valid():
            captured = read_with_reason(
                lead=lead,
                actor=staff_actor(signed_in_user(request), request),
                reason=form.cleaned_data["reason"],
            )
        return self.render_page(
            request, "leads/read", "Read contact details", lead=lead, form=form, captured=captured
        )

    def has_read_permission(self, request: HttpRequest, *_: Any) -> bool:
        # The permission to read what people said; contact details were part of it.
        return request.user.has_perm("conversations.read_conversation")


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
