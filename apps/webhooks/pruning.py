"""Delete old webhook deliveries and events."""

from django.conf import settings
from django.db import connection

_BATCH_SIZE = 5000

_STATEMENTS = (
    """
DELETE FROM webhooks_delivery WHERE id IN (
  SELECT id FROM webhooks_delivery
  WHERE created_at < statement_timestamp() - make_interval(days => %(days)s)
  ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
""",
    """
DELETE FROM webhooks_event WHERE id IN (
  SELECT event.id FROM webhooks_event AS event
  WHERE event.created_at < statement_timestamp() - make_interval(days => %(days)s)
    AND NOT EXISTS (SELECT FROM webhooks_delivery WHERE event_id = event.id)
  ORDER BY event.created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
""",
)


def prune() -> int:
    """Delete deliveries older than WEBHOOK_KEPT_DAYS, then events without one; return how many."""
    values = {"days": settings.WEBHOOK_KEPT_DAYS, "limit": _BATCH_SIZE}
    total = 0
    for statement in _STATEMENTS:
        deleted = _BATCH_SIZE
        while deleted == _BATCH_SIZE:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                deleted = cursor.rowcount
            total += deleted
    return total
