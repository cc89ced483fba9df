"""Record how an endpoint responds, and pause one that lets requests time out.

    healthy ── time-out ── one request at a time ── MAX_TIMEOUTS in a row ── paused ─┐
       └────────────────── any response ──────────────────┴──────── one request ─────┘

Each request that times out keeps a thread for WEBHOOK_TIMEOUT_SECONDS. Pauses double with each
further time-out, from FIRST_PAUSE_SECONDS up to MAX_PAUSE_SECONDS. Deliveries wait meanwhile and
lose no attempt.
"""

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from apps.webhooks.models import Endpoint

MAX_TIMEOUTS = 3
FIRST_PAUSE_SECONDS = 30
MAX_PAUSE_SECONDS = 3600

_RECORD_TIMEOUT = """
UPDATE webhooks_endpoint SET
  failing_since = coalesce(failing_since, statement_timestamp()),
  consecutive_timeouts = least(consecutive_timeouts + 1, 100),
  paused_until = CASE WHEN consecutive_timeouts + 1 >= %(max_timeouts)s THEN
    statement_timestamp() + make_interval(secs => least(
      %(first_pause)s * 2.0 ^ (consecutive_timeouts + 1 - %(max_timeouts)s), %(max_pause)s)) END
WHERE workspace_id = %(workspace)s AND id = %(endpoint)s
"""


def record_success(*, workspace_id: str, endpoint_id: str) -> None:
    """Record a 2xx response."""
    troubled = Q(failing_since__isnull=False) | Q(consecutive_timeouts__gt=0)
    _endpoint(workspace_id, endpoint_id).filter(troubled).update(
        failing_since=None, consecutive_timeouts=0, paused_until=None
    )


def record_failure(*, workspace_id: str, endpoint_id: str, timed_out: bool) -> None:
    """Record a failed request, which may have timed out."""
    if not timed_out:
        _endpoint(workspace_id, endpoint_id).update(
            failing_since=Coalesce("failing_since", Now()),
            consecutive_timeouts=0,
            paused_until=None,
        )
        return
    values: dict[str, str | int] = {
        "workspace": workspace_id,
        "endpoint": endpoint_id,
        "max_timeouts": MAX_TIMEOUTS,
        "first_pause": FIRST_PAUSE_SECONDS,
        "max_pause": MAX_PAUSE_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_TIMEOUT, values)


def end_pause(*, workspace_id: str, endpoint_id: str) -> None:
    """Let the next request be sent now, because a person asks for it."""
    _endpoint(workspace_id, endpoint_id).exclude(paused_until=None).update(paused_until=None)


def _endpoint(workspace_id: str, endpoint_id: str) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(workspace_id=workspace_id, id=endpoint_id)
