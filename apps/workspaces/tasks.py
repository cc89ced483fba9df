from celery import shared_task

from apps.infrastructure.logging import get_logger
from apps.workspaces import letters
from apps.workspaces.services import SEND_LETTERS_TASK

log = get_logger(__name__)

_MAX_SECONDS = 10.0
# Emails of authentication wait in the same queue. Celery beat starts the next run.


@shared_task(name=SEND_LETTERS_TASK)  # type: ignore[untyped-decorator]
def send_letters() -> int:
    """Send the letters that are due. Started when one is written and by Celery beat."""
    return letters.send_letters(seconds=_MAX_SECONDS)


@shared_task  # type: ignore[untyped-decorator]
def delete_old_letters() -> int:
    """Delete letters after their time. Safe to miss a run or to run twice."""
    deleted = letters.delete_old_letters()
    log.info("letters_pruned", letters=deleted)
    return deleted
