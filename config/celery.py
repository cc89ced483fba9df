"""The Celery application. Every task can be started again from the rows in PostgreSQL."""

import os
from typing import Any

from celery import Celery
from kombu.transport import redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")


class QoS(redis.QoS):
    """Lets a worker reconnect although it could not put back the tasks that it had taken.

    If the broker restarts while a task is unacknowledged, kombu tries to return the task over a
    connection that is gone, and the AttributeError ends the worker. The schedule finds the work
    of such a task again.
    """

    def restore_unacked_once(self, stderr: Any = None) -> None:
        try:
            super().restore_unacked_once(stderr)  # type: ignore[no-untyped-call]
        except AttributeError:
            self._delivered.clear()  # or the next attempt to close asserts that it is empty
            redis.logger.warning("Could not return unacknowledged tasks: the connection is gone.")


redis.Channel.QoS = QoS

app = Celery("parley")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
