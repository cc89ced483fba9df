"""The Celery application. Every task can be started again from the rows in PostgreSQL."""

import os
from functools import partial
from typing import Any

from celery import Celery
from celery.worker import consumer
from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")


# When the broker restarts, kombu goes on using channels of the connection that is gone: to put back
# the tasks that it had taken, and to acknowledge those that end later. That raised AttributeError,
# which ended the worker. The schedule finds the work of such a task again.


class QoS(redis.QoS):
    """Gives up to return tasks over a connection that is gone."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        try:
            super().restore_unacked_once(stderr)  # type: ignore[no-untyped-call]
        except (RedisError, OSError):
            self._delivered.clear()  # or the next attempt to close asserts that it is empty
            redis.logger.warning("Could not return unacknowledged tasks: the connection is gone.")


class Channel(redis.Channel):
    """Raises the error of a lost connection, which the worker handles, once it is closed."""

    QoS = QoS

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the channel is closed")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


redis.Transport.Channel = Channel


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Connects to the broker within seconds of its return, however long it was away.

    Celery's own pauses grow to half a minute.
    """

    def ensure_connected(self, conn: Any) -> Any:
        pauses = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
        conn.ensure_connection = partial(conn.ensure_connection, **pauses)
        return super().ensure_connected(conn)


app = Celery("parley")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
