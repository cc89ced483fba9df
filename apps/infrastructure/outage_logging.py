"""Log an outage, or a request that is refused by design, in one line.

While PostgreSQL, Redis or a model is away, requests are refused and tasks run again later, as is
documented; Django refuses hosts and bytes that no request of ours has. That is a warning, not an
error with a traceback for each of them, whoever logs it: our code, Django or Celery.
"""

import logging
import sys
from typing import Any

from apps.core.errors import ApiError

_MAX_LENGTH = 200


class OutageFilter(logging.Filter):
    """Turns a record of an expected failure into a warning with its reason and no traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        event = record.msg if isinstance(record.msg, dict) else None
        exception = _exception(event.get("exc_info") if event else record.exc_info)
        if exception is None or not _is_expected(exception):
            return True
        lines = str(exception).splitlines()
        reason = f"{type(exception).__name__}: {lines[0]}" if lines else type(exception).__name__
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
        if event is not None:
            event = {name: value for name, value in event.items() if name != "exc_info"}
            record.msg = {**event, "level": "warning", "reason": reason[:_MAX_LENGTH]}
        elif reason not in (text := record.getMessage()):
            record.msg, record.args = f"{text} ({reason[:_MAX_LENGTH]})", None
        return True


def _exception(exc_info: Any) -> BaseException | None:
    if exc_info is True:
        exc_info = sys.exc_info()
    found = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return found if isinstance(found, BaseException) else None


def _is_expected(exception: BaseException) -> bool:
    # Django must be set up before these are imported; logging is configured earlier.
    import psycopg
    from django import db
    from django.core.exceptions import SuspiciousOperation
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    if isinstance(exception, ApiError):
        return exception.status > 500
    of_postgres = (db.OperationalError, db.InterfaceError, psycopg.OperationalError)
    of_redis = (RedisError, OperationalError)
    outages = (*of_postgres, psycopg.InterfaceError, *of_redis, ConnectionError, TimeoutError)
    return isinstance(exception, (*outages, SuspiciousOperation))
