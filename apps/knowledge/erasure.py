"""Erasure of the knowledge bases of a deleted workspace."""

from django.db import transaction
from django.db.models.functions import Now

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

_BATCH_SIZE = 1000


def erase_workspace(workspace_id: str) -> None:
    """Delete the workspace's knowledge bases with everything in them, in batches."""
    sources = Source.objects.filter(workspace_id=workspace_id)
    # First, so that no worker writes another chunk.
    sources.update(claim="", due_at=None, live_generation_id=None, deleted_at=Now())
    chunks = Chunk.objects.filter(workspace_id=workspace_id)
    while ids := list(chunks.values_list("id", flat=True)[:_BATCH_SIZE]):
        with transaction.atomic():
            ChunkVector.objects.filter(workspace_id=workspace_id, chunk_id__in=ids).delete()
            Chunk.objects.filter(workspace_id=workspace_id, id__in=ids).delete()
    with transaction.atomic():
        for model in (
            *(UnchargedEmbedding, Document, Generation, ChunkOverride, SourceFile, Source),
            *(ChatbotKnowledgeBase, KnowledgeBase),
        ):
            model._default_manager.filter(workspace_id=workspace_id).delete()
