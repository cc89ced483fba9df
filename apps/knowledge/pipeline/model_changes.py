"""Change the embedding model of knowledge bases: embed all live chunks again, then swap."""

import time

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from apps.infrastructure.isolation import sum_each
from apps.infrastructure.logging import get_logger
from apps.knowledge.models import Chunk, ChunkVector, KnowledgeBase
from apps.knowledge.pipeline.vectors import CHUNKS_PER_STEP, embed_chunks
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
    model = base.next_embedding_model
    chunks = list(_missing(base, model.id).defer("words").order_by("id")[:CHUNKS_PER_STEP])
    if not chunks:
        _swap(base)
        return 0
    try:
        vectors = embed_chunks(model, chunks)
    except ProviderError as failure:
        log.warning("embedding_failed", knowledge_base_id=base.id, detail=failure.detail)
        KnowledgeBase.objects.filter(
            workspace_id=base.workspace_id, id=base.id, next_embedding_model=model
        ).update(embedding_error="The embedding model does not answer.")
        return 0
    with transaction.atomic():
        # A generation that was discarded meanwhile may be being erased.
        present = Chunk.objects.filter(
            workspace_id=base.workspace_id, id__in=[chunk.id for chunk in chunks]
        )
        locked = set(present.select_for_update(no_key=True).values_list("id", flat=True))
        ChunkVector.objects.bulk_create(
            [vector for vector in vectors if vector.chunk_id in locked], ignore_conflicts=True
        )
    return len(chunks)


@transaction.atomic
def _swap(base: KnowledgeBase) -> None:
    """Search by the new model from now on, if no live chunk lacks its vector."""
    # A generation becomes live under this lock, with vectors of both models.
    locked = KnowledgeBase.objects.select_for_update(no_key=True).get(
        workspace_id=base.workspace_id, id=base.id
    )
    model_id = locked.next_embedding_model_id
    if model_id != base.next_embedding_model_id or model_id is None:
        return
    if _missing(locked, model_id).exists():
        return
    KnowledgeBase.objects.filter(workspace_id=base.workspace_id, id=base.id).update(
        embedding_model_id=model_id,
        next_embedding_model=None,
        unused_embedding_models=[*locked.unused_embedding_models, locked.embedding_model_id],
    )
    log.info("embedding_model_changed", knowledge_base_id=base.id)


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
