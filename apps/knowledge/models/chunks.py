"""Chunks: passages of documents, as they are found and cited."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.postgres.id_field import IdField
from apps.knowledge.models.bases import KnowledgeBase
from apps.knowledge.models.generations import Document, Generation
from apps.knowledge.models.sources import Source
from apps.workspaces.models import Workspace


class Chunk(models.Model):
    """A passage of a document, with the headings above it.

    `digest` is the SHA-256 of what is embedded, headings and text, as the document had it: also
    after the owner has edited the text. `words` are the search terms of both.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    knowledge_base = models.ForeignKey(
        KnowledgeBase,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    generation = models.ForeignKey(
        Generation,
        on_delete=models.DO_NOTHING,
        related_name="chunks",
        db_constraint=False,
        db_index=False,
    )
    document = models.ForeignKey(
        Document,
        on_delete=models.DO_NOTHING,
        related_name="chunks",
        db_constraint=False,
        db_index=False,
    )
    position = models.PositiveIntegerField(help_text="Position in its document, from 0.")
    heading_path = ArrayField(models.TextField(), default=list, blank=True)
    text = models.TextField()
    page = models.PositiveIntegerField(null=True, blank=True)
    tokens = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    is_enabled = models.BooleanField(default=True)
    is_edited = models.BooleanField(default=False)
    words = SearchVectorField()

    class Meta:
        indexes = [
            GinIndex(
                fields=["knowledge_base", "words"],
                name="knowledge_chunk_words",
                # Every search scans the pending list.
                gin_pending_list_limit=512,
            ),
            models.Index(fields=["generation", "digest"], name="knowledge_chunk_digest"),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="knowledge_chunk_in_workspace"),
            models.UniqueConstraint("document", "position", name="knowledge_chunk_once_a_position"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}/{self.position}"


class ChunkVector(models.Model):
    """The vector of a chunk by an embedding model, of length 1.

    In a narrow table of its own, because a small base is searched by reading all its vectors. HNSW
    indexes, one for each embedding model with large bases, are created by
    `search.vector_indexes`.
    """

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    knowledge_base = models.ForeignKey(
        KnowledgeBase,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    generation = models.ForeignKey(
        Generation,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    chunk = models.ForeignKey(
        Chunk,
        on_delete=models.DO_NOTHING,
        related_name="vectors",
        db_constraint=False,
        db_index=False,
    )
    embedding_model = models.ForeignKey(
        EmbeddingModel, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    embedding = HalfVectorField()

    class Meta:
        indexes = [
            models.Index(
                fields=["knowledge_base", "embedding_model"], name="knowledge_vector_of_base"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "chunk", "embedding_model", name="knowledge_vector_once_a_chunk"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chunk_id} by {self.embedding_model_id}"


class ChunkOverride(models.Model):
    """What an owner changed in a chunk, kept for later generations that have the same passage.

    `text` is null where only `is_enabled` was changed. `original_text` is the document's own, with
    which the owner can undo the change.
    """

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.ForeignKey(
        Source, on_delete=models.DO_NOTHING, related_name="overrides", db_constraint=False
    )
    digest = models.CharField(max_length=64)
    text = models.TextField(null=True, blank=True)  # noqa: DJ001 - null: the document's own
    original_text = models.TextField(null=True, blank=True)  # noqa: DJ001 - null: not edited
    is_enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("source", "digest", name="knowledge_override_once_a_passage"),
            models.CheckConstraint(
                condition=models.Q(original_text__isnull=False) | models.Q(text__isnull=True),
                name="knowledge_override_keeps_original",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.digest[:12]} of {self.source_id}"
