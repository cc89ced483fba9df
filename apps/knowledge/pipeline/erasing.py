"""Erase what is live no more: discarded generations, and deleted sources and bases."""

from django.db import transaction
from django.db.models import F, Q

from apps.knowledge.models import (
    Chunk,
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceFile,
)

_BATCH_SIZE = 1000
_GENERATIONS_PER_RUN = 50


def erase_discarded() -> int:
    """Erase generations that are finished and not live, then sources and bases without any.

    Return how many generations. Safe to run concurrently, to interrupt and to repeat.
    """
    not_live = Q(source__live_generation_id=None) | ~Q(source__live_generation_id=F("pk"))
    discarded = Generation.objects.filter(not_live, finished_at__isnull=False)
    erased = 0
    for generation in discarded.order_by("?")[:_GENERATIONS_PER_RUN]:
        _erase_generation(generation)
        erased += 1
    for source in Source.objects.filter(deleted_at__isnull=False, generations=None)[:_BATCH_SIZE]:
        _erase_source(source)
    KnowledgeBase.objects.filter(deleted_at__isnull=False, sources=None).delete()
    for base in KnowledgeBase.objects.exclude(unused_embedding_models=[]):
        while _erase_unused_vectors(base):
            pass
    return erased


def _erase_generation(generation: Generation) -> None:
    """Erase in batches: a generation may have a hundred thousand chunks."""
    chunks = Chunk.objects.filter(generation=generation).order_by("id")
    while ids := list(chunks.values_list("id", flat=True)[:_BATCH_SIZE]):
        with transaction.atomic():
            ChunkVector.objects.filter(chunk_id__in=ids).delete()
            Chunk.objects.filter(id__in=ids).delete()
    documents = Document.objects.filter(generation=generation)
    while ids := list(documents.values_list("id", flat=True)[:_BATCH_SIZE]):
        Document.objects.filter(id__in=ids).delete()
    Generation.objects.filter(id=generation.id).delete()


@transaction.atomic
def _erase_source(source: Source) -> None:
    ChunkOverride.objects.filter(source=source).delete()
    SourceFile.objects.filter(source=source).delete()
    Source.objects.filter(id=source.id).delete()


@transaction.atomic
def _erase_unused_vectors(base: KnowledgeBase) -> bool:
    """Erase some vectors of a model that the base no longer uses. Return whether there were any.

    Whoever changes the base's model waits for the lock, and takes the model off the list.
    """
    bases = KnowledgeBase.objects.filter(workspace_id=base.workspace_id, id=base.id)
    locked = bases.select_for_update(no_key=True).first()
    if locked is None or not locked.unused_embedding_models:
        return False
    model_id, *rest = locked.unused_embedding_models
    vectors = ChunkVector.objects.filter(knowledge_base=locked, embedding_model_id=model_id)
    ids = list(vectors.values_list("id", flat=True)[:_BATCH_SIZE])
    if not ids:
        bases.update(unused_embedding_models=rest)
    ChunkVector.objects.filter(id__in=ids).delete()
    return True
