"""Knowledge in the admin: what was indexed and how it went, without what it says."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import signed_in_user
from apps.audit.services import staff_actor
from apps.audit.staff_access import ReasonForm
from apps.infrastructure.admin import CreatedSinceFilter, ReadOnlyAdmin, detail_action
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    Chunk,
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceFile,
    UnchargedEmbedding,
)
from apps.knowledge.staff_access import read_with_reason


@admin.register(KnowledgeBase)
class KnowledgeBaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "workspace", "embedding_model", "next_embedding_model", "created_at"]
    list_select_related = ["workspace", "embedding_model", "next_embedding_model"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["=id", "workspace__slug"]
    exclude = ["name"]


@admin.register(ChatbotKnowledgeBase)
class ChatbotKnowledgeBaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "workspace", "chatbot_id", "knowledge_base_id"]
    list_select_related = ["workspace"]
    list_filter = [("knowledge_base__created_at", CreatedSinceFilter)]
    search_fields = ["=chatbot_id", "=knowledge_base_id", "workspace__slug"]
    fields = ["workspace", "chatbot_id", "knowledge_base_id"]


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """Sources without their titles, addresses and texts, which are shown only for a reason."""

    actions_detail = ["read"]
    list_display = ["id", "workspace", "type", "status", "chunks", "refreshed_at", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", "type", ("created_at", CreatedSinceFilter)]
    search_fields = ["=id", "=knowledge_base_id", "workspace__slug"]
    exclude = ["title", "url", "text", "questions", "rules", "knowledge_base"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        sources: QuerySet[Source] = super().get_queryset(request)
        return sources.defer("text", "questions")

    @detail_action(description="Read source", permission="read", icon="visibility")
    def read(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        source = self.get_object_or_404(request, object_id)
        form = ReasonForm(request.POST or None)
        reading = None
        if form.is_valid():
            reading = read_with_reason(
                source=source,
                actor=staff_actor(signed_in_user(request), request),
                reason=form.cleaned_data["reason"],
            )
        return self.render_page(
            request, "knowledge/read", "Read source", source=source, form=form, reading=reading
        )

    def has_read_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("conversations.read_conversation")


@admin.register(SourceFile)
class SourceFileAdmin(ReadOnlyAdmin):
    """Uploaded files without their names. Their content is neither shown nor loaded."""

    list_display = ["source_id", "workspace", "content_type", "size"]
    list_select_related = ["workspace"]
    list_filter = [("source__created_at", CreatedSinceFilter)]
    search_fields = ["=source_id", "workspace__slug"]
    fields = ["workspace", "content_type", "size"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceFile]:
        files: QuerySet[SourceFile] = super().get_queryset(request)
        return files.defer("body")


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    list_display = ["id", "workspace", "source_id", "created_at", "finished_at"]
    list_select_related = ["workspace"]
    list_filter = [("created_at", CreatedSinceFilter)]
    search_fields = ["=id", "=source_id", "workspace__slug"]
    fields = ["workspace", "source_id", "is_read", "created_at", "finished_at"]


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    """Documents without their titles and addresses."""

    list_display = ["id", "workspace", "generation_id", "position", "status", "created_at"]
    list_select_related = ["workspace"]
    list_filter = ["status", ("created_at", CreatedSinceFilter)]
    search_fields = ["=id", "=generation_id", "workspace__slug"]
    fields = ["workspace", "generation_id", "position", "status", "bytes", "created_at"]


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    """Chunks without their text."""

    list_display = ["id", "workspace", "document_id", "position", "tokens", "is_enabled"]
    list_select_related = ["workspace"]
    list_filter = [("generation__created_at", CreatedSinceFilter)]
    search_fields = ["=id", "=document_id", "workspace__slug"]
    fields = ["workspace", "document_id", "position", "page", "tokens", "is_enabled", "is_edited"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        chunks: QuerySet[Chunk] = super().get_queryset(request)
        return chunks.defer("text", "heading_path", "words")


@admin.register(ChunkVector)
class ChunkVectorAdmin(ReadOnlyAdmin):
    """Vectors, which could be turned back into text, are neither shown nor loaded."""

    list_display = ["id", "workspace", "chunk_id", "embedding_model"]
    list_select_related = ["workspace", "embedding_model"]
    list_filter = [("generation__created_at", CreatedSinceFilter)]
    search_fields = ["=chunk_id", "workspace__slug"]
    fields = ["workspace", "chunk_id", "embedding_model"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChunkVector]:
        vectors: QuerySet[ChunkVector] = super().get_queryset(request)
        return vectors.defer("embedding")


@admin.register(ChunkOverride)
class ChunkOverrideAdmin(ReadOnlyAdmin):
    """Changes of chunks without the text."""

    list_display = ["id", "workspace", "source_id", "is_enabled"]
    list_select_related = ["workspace"]
    list_filter = [("source__created_at", CreatedSinceFilter)]
    search_fields = ["=source_id", "workspace__slug"]
    fields = ["workspace", "source_id", "digest", "is_enabled"]


@admin.register(UnchargedEmbedding)
class UnchargedEmbeddingAdmin(ReadOnlyAdmin):
    list_display = ["id", "workspace", "generation_id", "embedding_model", "tokens"]
    list_select_related = ["workspace", "embedding_model"]
    list_filter = [("knowledge_base__created_at", CreatedSinceFilter)]
    search_fields = ["=generation_id", "=knowledge_base_id", "workspace__slug"]
    fields = [
        *("workspace", "knowledge_base_id", "generation_id", "embedding_model"),
        *("credits_per_1k_tokens", "tokens"),
    ]
