"""Reads of knowledge bases, sources and chunks. Deleted ones are never found."""

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.chatbots.models import EmbeddingModel
from apps.chatbots.queries import active_embedding_models
from apps.infrastructure.postgres.rows import first_or_raise
from apps.knowledge.errors import (
    EmbeddingModelNotFound,
    KnowledgeBaseNotFound,
    SourceNotFound,
)
from apps.knowledge.models import Chunk, Document, Generation, KnowledgeBase, Source


def knowledge_bases_for(workspace_id: str) -> QuerySet[KnowledgeBase]:
    """The workspace's knowledge bases, newest first."""
    bases = KnowledgeBase.objects.filter(workspace_id=workspace_id, deleted_at=None)
    return bases.select_related("embedding_model", "next_embedding_model").order_by(
        "-created_at", "-id"
    )


def with_counts(bases: QuerySet[KnowledgeBase]) -> QuerySet[KnowledgeBase]:
    """Annotate `source_count` and `chunk_count`."""
    sources = Source.objects.filter(knowledge_base=OuterRef("pk"), deleted_at=None).order_by()

    def total(aggregate: Count | Sum) -> Coalesce:
        totals = sources.values("knowledge_base").annotate(n=aggregate).values("n")
        return Coalesce(Subquery(totals, output_field=IntegerField()), Value(0))

    return bases.annotate(source_count=total(Count("pk")), chunk_count=total(Sum("chunks")))


def find_knowledge_base(workspace_id: str, knowledge_base_id: str) -> KnowledgeBase:
    """Raises KnowledgeBaseNotFound."""
    bases = with_counts(knowledge_bases_for(workspace_id)).filter(id=knowledge_base_id)
    return first_or_raise(bases, KnowledgeBaseNotFound)


def sources_of(knowledge_base: KnowledgeBase) -> QuerySet[Source]:
    """The sources of a knowledge base, newest first."""
    return (
        Source.objects.filter(
            workspace_id=knowledge_base.workspace_id,
            knowledge_base=knowledge_base,
            deleted_at=None,
        )
        .defer("text")
        .order_by("-created_at", "-id")
    )


def find_source(workspace_id: str, source_id: str) -> Source:
    """Raises SourceNotFound."""
    sources = Source.objects.filter(workspace_id=workspace_id, id=source_id, deleted_at=None)
    return first_or_raise(sources.select_related("knowledge_base"), SourceNotFound)


def live_chunks(source: Source) -> QuerySet[Chunk]:
    """The chunks of a source that searches find, in their order."""
    chunks = Chunk.objects.filter(
        workspace_id=source.workspace_id, generation_id=source.live_generation_id
    )
    return chunks.select_related("document").order_by("document__position", "position")


def documents_of(source: Source) -> QuerySet[Document]:
    """The files, texts or pages of what searches find of a source, in order; before there is
    anything to find, those of the generation that is being built."""
    documents = Document.objects.filter(workspace_id=source.workspace_id)
    if source.live_generation_id is None:
        being_built = Generation.objects.filter(
            workspace_id=source.workspace_id, source=source, finished_at=None
        )
        documents = documents.filter(generation__in=being_built)
    else:
        documents = documents.filter(generation_id=source.live_generation_id)
    return documents.order_by("position")


def find_embedding_model(embedding_model_id: str) -> EmbeddingModel:
    """An active embedding model of the catalogue. Raises EmbeddingModelNotFound."""
    return first_or_raise(
        active_embedding_models().filter(id=embedding_model_id), EmbeddingModelNotFound
    )
