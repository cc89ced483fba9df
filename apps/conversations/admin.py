from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.accounts.models import User
from apps.audit.services import staff_actor
from apps.conversations.exports.models import Export, ExportPart
from apps.conversations.models import (
    NOT_COMPLETED,
    Conversation,
    Message,
    Passage,
    Rating,
    SearchProgress,
    Turn,
)
from apps.conversations.staff_access import MIN_REASON_LENGTH, read_with_reason
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin, detail_action

ERROR_CODES = (
    "MODEL_ERROR",
    "MODEL_UNAVAILABLE",
    "MODEL_TIMEOUT",
    "TURN_ABANDONED",
    "INTERNAL_ERROR",
)


class ReasonForm(forms.Form):
    """Why a member of staff wants to read what people said."""

    reason = forms.CharField(
        min_length=MIN_REASON_LENGTH,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The workspace's owner finds it in the audit log, with your name.",
    )


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations: when and where. What was said opens only to a reason."""

    actions_detail = ["read"]
    list_display = ["id", "workspace", "chatbot", "created_at", "last_message_at"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug"]
    exclude = ["title", "note", "source"]

    @detail_action(description="Read the messages", permission="read", icon="visibility")
    def read(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        conversation = self.get_object(request, object_id)
        if conversation is None:
            raise Http404
        form = ReasonForm(request.POST or None)
        messages: list[Message] | None = None
        if form.is_valid():
            messages = read_with_reason(
                conversation=conversation,
                actor=staff_actor(cast(User, request.user), request),
                reason=form.cleaned_data["reason"],
            )
        context = {
            **self.admin_site.each_context(request),
            "title": "Read a conversation",
            "opts": self.opts,
            "conversation": conversation,
            "form": form,
            # Not "messages": that name is Django's, for what it tells the person.
            "lines": messages,
        }
        return TemplateResponse(request, "admin/conversations/read.html", context)

    def has_read_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("conversations.read_conversation")


class ErrorCodeFilter(admin.SimpleListFilter):
    """Turns by the error that they met. The codes are known: no table is asked for them."""

    title = "error"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, code) for code in ERROR_CODES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Turn]) -> QuerySet[Turn]:
        return queryset.filter(error_code=self.value()) if self.value() else queryset


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin):
    list_display = ["id", "workspace", "status", "model_name", "credits_charged", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", ErrorCodeFilter, ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "conversation_id", "workspace__slug", "request_id"]
    search_help_text = "An id of a turn, conversation or failed request, or a workspace's slug"
    search_conditions = {"request_id": {"status__in": NOT_COMPLETED}}
    exclude = ["text_so_far"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """What people said stays closed to staff here: they see that, when and where, not what."""

    list_display = ["id", "workspace", "role", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["role", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "conversation_id", "turn_id", "workspace__slug"]
    exclude = ["text", "metadata"]


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    """Files that workspaces asked for: how far each is, and why one failed."""

    list_display = ["id", "workspace", "format", "status", "rows", "size", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", "format", "created_at"]
    search_fields = ["id", "workspace__slug"]
    exclude = ["filters"]


@admin.register(ExportPart)
class ExportPartAdmin(ReadOnlyAdmin):
    """That a part is there. Its lines stay closed, and are not even read."""

    list_display = ["export", "workspace", "number"]
    list_select_related = ["workspace", "export"]
    list_filter = ["export__format"]
    search_fields = ["export_id", "workspace__slug"]
    exclude = ["body"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportPart]:
        found: QuerySet[ExportPart] = super().get_queryset(request)
        return found.defer("body")


@admin.register(Rating)
class RatingAdmin(ReadOnlyAdmin):
    """Which answers were rated, how and by whom; not in what words."""

    list_display = ["message_id", "workspace", "value", "actor_kind", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["value", "actor_kind", "created_at"]
    search_fields = ["=message__id", "=conversation__id", "workspace__slug"]
    exclude = ["comment"]


@admin.register(Passage)
class PassageAdmin(ReadOnlyAdmin):
    """What search has read, not its words."""

    list_display = ["id", "workspace"]
    list_select_related = ["workspace"]
    list_filter = ["conversation__created_at"]
    search_fields = ["=id", "=conversation__id", "workspace__slug"]
    exclude = ["words"]


@admin.register(SearchProgress)
class SearchProgressAdmin(ReadOnlyAdmin):
    list_display = ["id", "read_to"]
    list_filter = ["read_to"]
    search_fields = ["=read_to"]
