"""Reads of knowledge bases, sources and chunks. Deleted ones are never found."""

from collections.abc import Collection

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BinaryField,
    Count,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, Substr

from apps.chatbots.models import Chatbot, EmbeddingModel
from apps.chatbots.queries import active_embedding_models
from apps.infrastructure.postgres.rows import first_or_raise
from apps.knowledge.errors import (
    ChunkNotFound,
    EmbeddingModelNotFound,
    KnowledgeBaseNotFound,
    SourceFileNotFound,
    SourceNotFound,
)
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    Chunk,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceFile,
)


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


def find_file(source: Source) -> SourceFile:
    """The file of a source, without its body. Raises SourceFileNotFound."""
    files = SourceFile.objects.filter(workspace_id=source.workspace_id, source=source)
    return first_or_raise(files.defer("body"), SourceFileNotFound)


def read_file_part(file: SourceFile, start: int, length: int) -> bytes:
    """These bytes of a file; none beyond its end, or if it was deleted meanwhile."""
    files = SourceFile.objects.filter(workspace_id=file.workspace_id, source_id=file.source_id)
    part = Substr("body", start + 1, length, output_field=BinaryField())
    return bytes(files.values_list(part, flat=True).first() or b"")


def existing_source_ids(workspace_id: str, source_ids: Collection[str]) -> set[str]:
    """Those of the ids that sources of the workspace have."""
    sources = Source.objects.filter(workspace_id=workspace_id, id__in=source_ids, deleted_at=None)
    return set(sources.values_list("id", flat=True))


def live_chunks(source: Source) -> QuerySet[Chunk]:
    """The chunks of a source that searches find, in their order."""
    chunks = Chunk.objects.filter(
        workspace_id=source.workspace_id, generation_id=source.live_generation_id
    )
    return chunks.select_related("document").order_by("document__position", "position")


def find_chunk(workspace_id: str, chunk_id: str) -> Chunk:
    """A chunk that searches find, or would if it were enabled. Raises ChunkNotFound."""
    chunks = Chunk.objects.filter(
        workspace_id=workspace_id,
        id=chunk_id,
        generation__source__live_generation_id=F("generation_id"),
        generation__source__deleted_at=None,
    )
    return first_or_raise(
        chunks.select_related("document", "generation__source").defer("words"), ChunkNotFound
    )


def documents_of(source: Source) -> QuerySet[Document]:
    """The file, text or pages of a source with what came of each, in their order.

    As searches find them, or as they were read last while nothing is found.
    """
    generations = Generation.objects.filter(workspace_id=source.workspace_id, source=source)
    if source.live_generation_id is not None:
        generations = generations.filter(id=source.live_generation_id)
    newest = generations.order_by("-created_at", "-id").values("id")[:1]
    documents = Document.objects.filter(workspace_id=source.workspace_id, generation__in=newest)
    return documents.order_by("position")


def find_embedding_model(embedding_model_id: str) -> EmbeddingModel:
    """An active embedding model of the catalogue. Raises EmbeddingModelNotFound."""
    return first_or_raise(
        active_embedding_models().filter(id=embedding_model_id), EmbeddingModelNotFound
    )


def with_knowledge_base_ids(chatbots: QuerySet[Chatbot]) -> QuerySet[Chatbot]:
    """Annotate `knowledge_base_ids`: the ids of the bases that are attached to each chatbot."""
    attached = ChatbotKnowledgeBase.objects.filter(
        workspace_id=OuterRef("workspace_id"), chatbot_id=OuterRef("pk")
    )
    return chatbots.annotate(knowledge_base_ids=ArraySubquery(attached.values("knowledge_base_id")))


def attached_knowledge_bases(chatbot: Chatbot) -> tuple[KnowledgeBase, ...]:
    """The knowledge bases of a chatbot that `with_knowledge_base_ids` has annotated, oldest first.

    Makes no query if there are none.
    """
    ids: list[str] = chatbot.knowledge_base_ids  # type: ignore[attr-defined]
    if not ids:
        return ()
    return tuple(knowledge_bases_for(chatbot.workspace_id).filter(id__in=ids).order_by("id"))


def knowledge_bases_of(chatbot: Chatbot) -> QuerySet[KnowledgeBase]:
    """The knowledge bases that are attached to a chatbot, by name."""
    attached = ChatbotKnowledgeBase.objects.filter(
        workspace_id=chatbot.workspace_id, chatbot_id=chatbot.id
    )
    bases = knowledge_bases_for(chatbot.workspace_id)
    return bases.filter(id__in=attached.values("knowledge_base_id")).order_by("name", "id")
