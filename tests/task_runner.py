"""Run queued Celery tasks in the test's own process."""

from __future__ import annotations

from django.conf import settings

from apps.infrastructure import task_queue
from config.celery import app


def run_queued_tasks(*names: str) -> list[str]:
    """Empty the queues, run the tasks with these names in order, and return the names that ran.

    Tasks arrive as a worker would get them: by name, with arguments decoded from JSON.
    """
    app.loader.import_default_modules()
    assert task_queue.flush(seconds=20)
    ran = []
    with app.connection_for_read() as connection:
        for queue_name in settings.TASK_QUEUES:
            queue = connection.SimpleQueue(queue_name)
            while True:
                try:
                    message = queue.get_nowait()
                except queue.Empty:
                    break
                message.ack()
                name = message.headers["task"]
                if name in names:
                    arguments, _, _ = message.payload
                    app.tasks[name].run(*arguments)
                    ran.append(name)
            queue.close()
    return ran
