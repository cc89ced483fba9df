"""Change the embedding model of knowledge bases: embed all live chunks again, then swap.

What a change embeds is charged when it ends: swapped, stopped by an error, or given up.
"""

import time
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from apps.infrastructure.isolation import sum_each
from apps.infrastructure.logging import get_logger
from apps.knowledge.errors import IndexingFailed
from apps.knowledge.models import Chunk, ChunkVector, KnowledgeBase
from apps.knowledge.pipeline.vectors import CHUNKS_PER_STEP, EmbeddedChunks, embed_chunks
from apps.knowledge.services.embedding_charges import (
    EmbeddingJob,
    charge_embeddings,
    record_tokens,
    require_credits,
)
from apps.llm.errors import ProviderError

log = get_logger(__name__)


def change_embedding_models(*, max_seconds: float) -> int:
    """Go on with the changes of embedding models, base by base in turn, a few chunks each.

    Return how many chunks were embedded. Safe to run concurrently: a chunk has one vector of a
    model, whoever wrote it.
    """
    deadline = time.monotonic() + max_seconds
    embedded = 0
    while True:
        changing = KnowledgeBase.objects.filter(
            next_embedding_model__isnull=False, deleted_at=None, embedding_error=""
        )
        # In a random order: many bases of one workspace must not delay the others' always.
        ids = list(changing.order_by("?").values_list("id", flat=True))
        count = sum_each(ids, _go_on, event="embedding_model_not_changed")
        embedded += count
        if not count or time.monotonic() >= deadline:
            return embedded


def _go_on(knowledge_base_id: str) -> int:
    """Embed the next chunks of a base, or swap its model if none is left."""
    bases = KnowledgeBase.objects.select_related("next_embedding_model")
    base = bases.filter(id=knowledge_base_id, deleted_at=None).first()
    if base is None or base.next_embedding_model is None:
        return 0
    job = EmbeddingJob(base.workspace_id, base.id, base.next_embedding_model)
    missing = _missing(base, job.model.id)
    chunks = list(missing.defer("words").order_by("id")[:CHUNKS_PER_STEP])
    if not chunks:
        _swap(job)
        return 0
    try:
        require_credits(job, tokens=sum(chunk.tokens for chunk in chunks), remaining=missing)
        embedded = embed_chunks(job.model, chunks)
    except IndexingFailed as failure:
        _stop(job, str(failure))
        return 0
    except ProviderError as failure:
        log.warning("embedding_failed", knowledge_base_id=base.id, detail=failure.detail)
        _stop(job, "The embedding model does not answer.")
        return 0
    return _store(job, chunks, embedded)


@transaction.atomic
def _store(job: EmbeddingJob, chunks: Sequence[Chunk], embedded: EmbeddedChunks) -> int:
    """Store vectors and their tokens. Return how many chunks were embedded, 0 if the change is
    over."""
    if _lock_changing(job) is None:
        return 0
    ids = [chunk.id for chunk in chunks]
    # A generation that was discarded meanwhile may be being erased.
    present = Chunk.objects.filter(workspace_id=job.workspace_id, id__in=ids)
    wanted = set(present.select_for_update(no_key=True).values_list("id", flat=True))
    # Another worker may have embedded the same chunks.
    stored = ChunkVector.objects.filter(
        workspace_id=job.workspace_id, chunk_id__in=ids, embedding_model=job.model
    )
    wanted -= set(stored.values_list("chunk_id", flat=True))
    ChunkVector.objects.bulk_create(
        [vector for vector in embedded.vectors if vector.chunk_id in wanted]
    )
    tokens = sum(chunk.tokens for chunk in chunks if chunk.id in wanted)
    all_tokens = sum(chunk.tokens for chunk in chunks)
    record_tokens(job, tokens=embedded.tokens * tokens // max(all_tokens, 1))
    return len(chunks)


@transaction.atomic
def _stop(job: EmbeddingJob, reason: str) -> None:
    """Wait until the owner asks for the change again."""
    if (base := _lock_changing(job)) is not None:
        base.embedding_error = reason
        base.save(update_fields=["embedding_error"])
        charge_embeddings(job.uncharged())


@transaction.atomic
def _swap(job: EmbeddingJob) -> None:
    """Search by the new model from now on, if no live chunk lacks its vector."""
    # A generation becomes live under this lock, with vectors of both models.
    base = _lock_changing(job)
    if base is None or _missing(base, job.model.id).exists():
        return
    unused = [*base.unused_embedding_models, base.embedding_model_id]
    KnowledgeBase.objects.filter(workspace_id=base.workspace_id, id=base.id).update(
        embedding_model=job.model, next_embedding_model=None, unused_embedding_models=unused
    )
    charge_embeddings(job.uncharged())
    log.info("embedding_model_changed", knowledge_base_id=base.id)


def _lock_changing(job: EmbeddingJob) -> KnowledgeBase | None:
    """The base, locked, if this change of its model still goes on."""
    bases = KnowledgeBase.objects.filter(
        workspace_id=job.workspace_id,
        id=job.knowledge_base_id,
        next_embedding_model=job.model,
        deleted_at=None,
        embedding_error="",
    )
    return bases.select_for_update(no_key=True).first()


def _missing(base: KnowledgeBase, embedding_model_id: str) -> QuerySet[Chunk]:
    """The live chunks of a base that have no vector of the model."""
    vectors = ChunkVector.objects.filter(
        chunk=OuterRef("pk"), embedding_model_id=embedding_model_id
    )
    return Chunk.objects.filter(
        ~Exists(vectors),
        workspace_id=base.workspace_id,
        knowledge_base=base,
        generation__source__live_generation_id=F("generation_id"),
    )
