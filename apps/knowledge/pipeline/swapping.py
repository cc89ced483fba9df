"""Swap generations: the new one takes the live one's place."""

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Sum
from django.db.models.functions import Now

from apps.knowledge.models import (
    Chunk,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    RefreshInterval,
    Source,
    SourceStatus,
    UnchargedEmbedding,
)
from apps.knowledge.models.sources import REFRESH_INTERVALS
from apps.knowledge.pipeline.claiming import ClaimLost, lock_claimed
from apps.knowledge.services.embedding_charges import charge_embeddings
from apps.knowledge.services.source_events import emit_source_event
from apps.webhooks.models import EventType


@transaction.atomic
def make_live(source: Source, generation: Generation) -> bool:
    """Make a generation the live one, and charge what it embedded. Return False if chunks of it
    lack vectors of the base's embedding models, which may have changed meanwhile. Raises ClaimLost.
    """
    # A change of the embedding model waits for this lock, and then sees the generation as live.
    # Bases are locked before their sources everywhere.
    bases = KnowledgeBase.objects.select_for_update(no_key=True)
    base = bases.filter(workspace_id=source.workspace_id, id=source.knowledge_base_id).first()
    if base is None:
        raise ClaimLost
    locked = lock_claimed(source)
    if any(lacks_vectors(generation, model_id) for model_id in embedding_model_ids(base)):
        return False
    Generation.objects.filter(workspace_id=source.workspace_id, id=generation.id).update(
        finished_at=Now()
    )
    chunks = Chunk.objects.filter(workspace_id=source.workspace_id, generation=generation)
    totals = chunks.aggregate(chunks=Count("pk"), tokens=Sum("tokens"))
    documents = Document.objects.filter(workspace_id=source.workspace_id, generation=generation)
    interval = REFRESH_INTERVALS.get(RefreshInterval(locked.refresh_every))
    Source.objects.filter(workspace_id=source.workspace_id, id=source.id).update(
        live_generation_id=generation.id,
        chunks=totals["chunks"],
        tokens=totals["tokens"] or 0,
        bytes=documents.aggregate(bytes=Sum("bytes"))["bytes"] or 0,
        status=SourceStatus.READY,
        status_reason=generation.note,
        attempts=0,
        claim="",
        claimed_until=None,
        refreshed_at=Now(),
        due_at=None if interval is None else Now() + interval,
    )
    emit_source_event(EventType.SOURCE_READY, source)
    charge_embeddings(
        UnchargedEmbedding.objects.filter(
            workspace_id=source.workspace_id, generation_id=generation.id
        )
    )
    return True


def embedding_model_ids(base: KnowledgeBase) -> list[str]:
    """The embedding models whose vectors the chunks of a base have to have."""
    ids = (base.embedding_model_id, base.next_embedding_model_id)
    return [model_id for model_id in ids if model_id is not None]


def lacks_vectors(generation: Generation, embedding_model_id: str) -> bool:
    vectors = ChunkVector.objects.filter(
        chunk=OuterRef("pk"), embedding_model_id=embedding_model_id
    )
    chunks = Chunk.objects.filter(workspace_id=generation.workspace_id, generation=generation)
    return chunks.filter(~Exists(vectors)).exists()
