"""What waits in the job queue, run here and now."""

from __future__ import annotations

from config.celery import app


def run_queued_tasks(*names: str) -> list[str]:
    """Take every job from the queue and run those of these names, in order; their names.

    They come as a worker would get them: by name, with arguments that went through JSON.
    """
    app.loader.import_default_modules()
    ran = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
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
