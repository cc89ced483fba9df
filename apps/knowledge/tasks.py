from celery import shared_task

from apps.infrastructure.logging import get_logger
from apps.infrastructure.task_queue import send_task_on_commit
from apps.knowledge.pipeline import erasing, indexing, model_changes
from apps.knowledge.search import vector_indexes
from apps.knowledge.services.sources import INDEX_SOURCES

log = get_logger(__name__)

_MAX_SECONDS = 20.0
_MAX_INDEX_SECONDS = 6 * 3600


@shared_task(name=INDEX_SOURCES)  # type: ignore[untyped-decorator]
def index_sources() -> None:
    """Index due sources for some seconds. Sent when one is added and by a schedule."""
    if indexing.index_sources(max_seconds=_MAX_SECONDS):
        send_task_on_commit(INDEX_SOURCES)


@shared_task  # type: ignore[untyped-decorator]
def change_embedding_models() -> int:
    """Embed the chunks of bases whose embedding model is being changed, for some seconds."""
    return model_changes.change_embedding_models(max_seconds=_MAX_SECONDS)


@shared_task(time_limit=_MAX_INDEX_SECONDS)  # type: ignore[untyped-decorator]
def create_vector_indexes() -> list[str]:
    """Build the indexes over vectors that large bases lack. Takes minutes for a million vectors."""
    return vector_indexes.create_missing_indexes()


@shared_task  # type: ignore[untyped-decorator]
def erase_discarded() -> int:
    """Erase what is live no more. Safe to miss a run or to run twice."""
    erased = erasing.erase_discarded()
    log.info("generations_erased", generations=erased)
    return erased
