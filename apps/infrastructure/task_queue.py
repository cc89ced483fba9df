"""Handing work to the job worker."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.db import transaction


def send_task_on_commit(task: str, *arguments: Any) -> None:
    """Send a task, by its name, once the running transaction has committed; now if there is none.

    A queue that is away is logged and does not undo what was committed: jobs can be derived again
    from PostgreSQL, or asked for again by a person.
    """
    transaction.on_commit(lambda: current_app.send_task(task, args=list(arguments)), robust=True)
