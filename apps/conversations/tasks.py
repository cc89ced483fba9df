from __future__ import annotations

from celery import shared_task

from apps.conversations import erasure, search
from apps.conversations.exports import services as exports
from apps.conversations.exports.writing import write_pending_exports
from apps.infrastructure.logging import get_logger
from apps.infrastructure.task_queue import send_task_on_commit

log = get_logger(__name__)

_SECONDS = 3.0
# Then others' jobs have their turn: the sweep of turns waits in the same queue.


@shared_task(name=exports.WRITE_EXPORTS)  # type: ignore[untyped-decorator]
def write_exports() -> None:
    """Write at what is due for a few seconds. Sent when one is asked for and by the clock."""
    if write_pending_exports(max_seconds=_SECONDS):
        send_task_on_commit(exports.WRITE_EXPORTS)


@shared_task(name="apps.conversations.tasks.prune_exports")  # type: ignore[untyped-decorator]
def delete_expired_exports() -> int:
    """Delete exports that are older than they are kept."""
    deleted = exports.delete_expired_exports()
    log.info("exports_pruned", exports=deleted)
    return deleted


@shared_task(name="apps.conversations.tasks.erase_deleted")  # type: ignore[untyped-decorator]
def erase_deleted_conversations() -> int:
    """Finish deletions that were cut off. Nothing is lost if a run is missed or doubled."""
    return erasure.erase_deleted_conversations()


@shared_task(name="apps.conversations.tasks.read_messages")  # type: ignore[untyped-decorator]
def index_new_messages() -> int:
    """Have new messages found by their words. Nothing is lost if a run is missed or doubled."""
    return search.index_new_messages()
