from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.models import User
from apps.audit.services import staff_actor
from apps.audit.staff_access import ReasonForm
from apps.conversations.models import (
    NOT_COMPLETED,
    Citation,
    Conversation,
    Message,
    Passage,
    QuestionReview,
    Rating,
    SearchProgress,
    Turn,
    TurnSweep,
)
from apps.conversations.models.export import Export, ExportPart
from apps.conversations.staff_access import read_with_reason
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin, detail_action

ERROR_CODES = (
    "MODEL_ERROR",
    "MODEL_UNAVAILABLE",
    "MODEL_TIMEOUT",
    "REPLY_LIMIT_REACHED",
    "TURN_ABANDONED",
    "INTERNAL_ERROR",
)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations without their text, which is shown only for a reason."""

    actions_detail = ["read"]
    list_display = ["id", "workspace", "chatbot", "created_at", "last_message_at"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["id", "workspace__slug"]
    exclude = ["title", "note", "source"]

    @detail_action(description="Read messages", permission="read", icon="visibility")
    def read(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        conversation = self.get_object_or_404(request, object_id)
        form = ReasonForm(request.POST or None)
        messages: list[Message] | None = None
        if form.is_valid():
            messages = read_with_reason(
                conversation=conversation,
                actor=staff_actor(cast(User, request.user), request),
                reason=form.cleaned_data["reason"],
            )
        return self.render_page(
            request,
            "conversations/read",
            "Read conversation",
            conversation=conversation,
            form=form,
            # Not "messages", which Django uses for its own messages.
            lines=messages,
        )

    def has_read_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("conversations.read_conversation")


class ErrorCodeFilter(admin.SimpleListFilter):
    """Filter turns by error code, without a query for the codes in use."""

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
    search_help_text = "Turn, conversation or failed request ID, or workspace slug"
    search_conditions = {"request_id": {"status__in": NOT_COMPLETED}}
    exclude = ["text_so_far"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Messages without their text and metadata."""

    list_display = ["id", "workspace", "role", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["role", ("created_at", CreatedSinceFilter)]
    search_fields = ["id", "conversation_id", "turn_id", "workspace__slug"]
    exclude = ["text", "metadata"]


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    """Exports with their progress and errors."""

    list_display = ["id", "workspace", "format", "status", "rows", "size", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", "format", "created_at"]
    search_fields = ["id", "workspace__slug"]
    exclude = ["filters"]


@admin.register(ExportPart)
class ExportPartAdmin(ReadOnlyAdmin):
    """Parts of exports. Their content is neither shown nor loaded."""

    list_display = ["export", "workspace", "number"]
    list_select_related = ["workspace", "export"]
    list_filter = ["export__format"]
    search_fields = ["export_id", "workspace__slug"]
    exclude = ["body"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportPart]:
        parts: QuerySet[ExportPart] = super().get_queryset(request)
        return parts.defer("body")


@admin.register(Rating)
class RatingAdmin(ReadOnlyAdmin):
    """Ratings without their comments."""

    list_display = ["message_id", "workspace", "value", "actor_kind", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["value", "actor_kind", "created_at"]
    search_fields = ["=message__id", "=conversation__id", "workspace__slug"]
    exclude = ["comment"]


@admin.register(Citation)
class CitationAdmin(ReadOnlyAdmin):
    """Passages that models were shown, without their texts and titles."""

    list_display = ["turn_id", "workspace", "number", "source_id", "score"]
    list_select_related = ["workspace"]
    list_filter = ["number"]
    search_fields = ["=turn__id", "=source_id", "workspace__slug"]
    exclude = ["title", "url", "text"]


@admin.register(QuestionReview)
class QuestionReviewAdmin(ReadOnlyAdmin):
    """What members did about questions that were not answered."""

    list_display = ["turn_id", "workspace", "outcome", "source_id", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["outcome"]
    search_fields = ["=turn__id", "=source_id", "workspace__slug"]


@admin.register(Passage)
class PassageAdmin(ReadOnlyAdmin):
    """Search documents without their words."""

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


@admin.register(TurnSweep)
class TurnSweepAdmin(ReadOnlyAdmin):
    list_display = ["id", "passed_at", "uninterrupted_since"]
    list_filter = ["passed_at"]
    search_fields = ["=id"]
