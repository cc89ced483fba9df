"""Claim the delivery that is sent next: workspaces take turns, and so do a workspace's endpoints.

Next is the workspace with the fewest running requests, of those the one served longest ago; within
it the same of its endpoints; and of that endpoint the delivery that is due longest. A workspace has
at most WEBHOOK_WORKSPACE_CONCURRENCY requests at the same time and an endpoint
MAX_CONCURRENT_PER_ENDPOINT. Endpoints whose last request timed out get one at a time, and all of
them together only one workspace's share, so that many hanging ones leave threads to the others.

A claim looks at one delivery of each endpoint, whatever number waits: it skips through an index
over workspace, endpoint and time.
"""

from django.conf import settings

from apps.infrastructure.postgres.claims import ClaimStatement, claim_next
from apps.webhooks.models import Delivery

MAX_CONCURRENT_PER_ENDPOINT = 3
"""Concurrent requests to one endpoint: fewer than of its workspace, which has others."""

CLAIM_DELIVERY = ClaimStatement(
    "webhooks_delivery",
    """
WITH RECURSIVE running AS MATERIALIZED (
  SELECT workspace_id, endpoint_id, count(*) AS requests FROM webhooks_delivery
  WHERE claimed_until > statement_timestamp() GROUP BY workspace_id, endpoint_id
), share AS MATERIALIZED (
  SELECT workspace_id, sum(requests) AS requests FROM running GROUP BY workspace_id
), hanging AS MATERIALIZED (
  SELECT coalesce(sum(requests), 0) AS requests
  FROM running JOIN webhooks_endpoint ON webhooks_endpoint.id = endpoint_id
  WHERE consecutive_timeouts > 0
), waiting (workspace_id, endpoint_id, next_attempt_at) AS (
  (SELECT workspace_id, endpoint_id, next_attempt_at FROM webhooks_delivery
   WHERE status = 'pending'
   ORDER BY workspace_id, endpoint_id, next_attempt_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM waiting CROSS JOIN LATERAL (
    SELECT delivery.workspace_id, delivery.endpoint_id, delivery.next_attempt_at
    FROM webhooks_delivery AS delivery
    WHERE delivery.status = 'pending'
      AND (delivery.workspace_id, delivery.endpoint_id)
        > (waiting.workspace_id, waiting.endpoint_id)
    ORDER BY delivery.workspace_id, delivery.endpoint_id, delivery.next_attempt_at LIMIT 1
  ) AS following
), next_endpoint AS MATERIALIZED (
  SELECT waiting.workspace_id, waiting.endpoint_id
  FROM waiting
  JOIN webhooks_endpoint AS endpoint ON endpoint.id = waiting.endpoint_id
  LEFT JOIN running ON running.endpoint_id = waiting.endpoint_id
  LEFT JOIN share ON share.workspace_id = waiting.workspace_id
  WHERE waiting.next_attempt_at <= statement_timestamp()
    AND endpoint.disabled_at IS NULL
    AND coalesce(endpoint.paused_until <= statement_timestamp(), true)
    AND coalesce(share.requests, 0) < %(max_per_workspace)s
    AND CASE WHEN endpoint.consecutive_timeouts > 0
      THEN running.requests IS NULL
        AND (SELECT requests FROM hanging) < %(max_per_workspace)s
      ELSE coalesce(running.requests, 0) < %(max_per_endpoint)s END
  ORDER BY coalesce(share.requests, 0),
    (SELECT max(last_claimed_at) FROM webhooks_endpoint AS any_endpoint
     WHERE any_endpoint.workspace_id = waiting.workspace_id) NULLS FIRST,
    coalesce(running.requests, 0), endpoint.last_claimed_at NULLS FIRST,
    waiting.next_attempt_at
  LIMIT 1
), due AS MATERIALIZED (
  SELECT first.id, first.endpoint_id FROM next_endpoint CROSS JOIN LATERAL (
    SELECT delivery.id, delivery.endpoint_id FROM webhooks_delivery AS delivery
    WHERE delivery.status = 'pending' AND delivery.next_attempt_at <= statement_timestamp()
      AND delivery.workspace_id = next_endpoint.workspace_id
      AND delivery.endpoint_id = next_endpoint.endpoint_id
    ORDER BY delivery.next_attempt_at LIMIT 1
    FOR UPDATE SKIP LOCKED
  ) AS first
), served AS (
  UPDATE webhooks_endpoint SET last_claimed_at = statement_timestamp()
  FROM due WHERE webhooks_endpoint.id = due.endpoint_id
)
UPDATE webhooks_delivery SET
  attempts = attempts + 1,
  last_attempt_at = statement_timestamp(),
  next_attempt_at = statement_timestamp() + make_interval(secs => %(seconds)s),
  claimed_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE webhooks_delivery.id = due.id
RETURNING webhooks_delivery.id
""",
)


def claim_delivery() -> Delivery | None:
    """Claim the next delivery for twice as long as an attempt may take."""
    delivery_id = claim_next(
        CLAIM_DELIVERY,
        max_per_workspace=settings.WEBHOOK_WORKSPACE_CONCURRENCY,
        max_per_endpoint=MAX_CONCURRENT_PER_ENDPOINT,
        seconds=2 * settings.WEBHOOK_TIMEOUT_SECONDS,
    )
    if delivery_id is None:
        return None
    return Delivery.objects.select_related("event", "endpoint").filter(id=delivery_id).first()
