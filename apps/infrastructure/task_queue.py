"""Send Celery tasks."""

from typing import Any

from celery import current_app
from django.db import transaction


def send_task_on_commit(task: str, *arguments: Any) -> None:
    """Send a task, by its name, once the running transaction has committed; now if there is none.

    If the broker is down, the error is logged and does not fail the request: tasks can be derived
    again from PostgreSQL, or be requested again by a person.
    """
    transaction.on_commit(lambda: current_app.send_task(task, args=list(arguments)), robust=True)
