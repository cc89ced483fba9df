from celery import shared_task

from apps.conversations import erasure, search
from apps.conversations.exports import services as exports
from apps.conversations.exports.writer import write_pending_exports
from apps.infrastructure.logging import get_logger
from apps.infrastructure.task_queue import send_task_on_commit

log = get_logger(__name__)

_MAX_WRITE_SECONDS = 3.0
"""Then other tasks run: the sweep of turns waits in the same queue."""


@shared_task(name=exports.WRITE_EXPORTS)  # type: ignore[untyped-decorator]
def write_exports() -> None:
    """Write pending exports for a few seconds. Sent when one is requested and by a schedule."""
    if write_pending_exports(max_seconds=_MAX_WRITE_SECONDS):
        send_task_on_commit(exports.WRITE_EXPORTS)


@shared_task  # type: ignore[untyped-decorator]
def delete_expired_exports() -> int:
    """Delete exports past their retention period."""
    deleted = exports.delete_expired_exports()
    log.info("exports_pruned", exports=deleted)
    return deleted


@shared_task  # type: ignore[untyped-decorator]
def erase_deleted_conversations() -> int:
    """Finish interrupted deletions. Safe to miss a run or to run twice."""
    return erasure.erase_deleted_conversations()


@shared_task  # type: ignore[untyped-decorator]
def index_new_messages() -> int:
    """Add new messages to the search index. Safe to miss a run or to run twice."""
    return search.index_new_messages()
