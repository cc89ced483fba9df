"""Have emails sent to members and invited people."""

from collections.abc import Iterable

from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.models import Letter, LetterKind

SEND_LETTERS_TASK = "apps.workspaces.tasks.send_letters"


def queue_letters(
    *, workspace_id: str, kind: LetterKind, subject_id: str, recipients: Iterable[str]
) -> None:
    """Write a letter to each recipient. Call it in the transaction of what they are about.

    A recipient who has the same letter pending gets no second one.
    """
    Letter.objects.bulk_create(
        [
            Letter(workspace_id=workspace_id, kind=kind, subject_id=subject_id, recipient=recipient)
            for recipient in recipients
        ],
        ignore_conflicts=True,
    )
    send_task_on_commit(SEND_LETTERS_TASK)
