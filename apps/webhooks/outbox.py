"""The outbox in SQL, for statements that write it beside what happened. Knows nothing of Django."""

from __future__ import annotations

EMIT_EVENTS = """
receiver AS (
  SELECT endpoint.id, told.workspace_id, told.event_id
  FROM told JOIN webhooks_endpoint AS endpoint USING (workspace_id)
  WHERE endpoint.disabled_at IS NULL AND told.event_type = ANY (endpoint.event_types)
  FOR KEY SHARE OF endpoint
), event AS (
  INSERT INTO webhooks_event (id, workspace_id, type, data)
  SELECT event_id, workspace_id, event_type, event_data FROM told
  WHERE event_id IN (SELECT event_id FROM receiver)
), delivery AS (
  INSERT INTO webhooks_delivery (id, workspace_id, event_id, endpoint_id)
  SELECT left(event_id, 10) || left(md5(event_id || id), 15), workspace_id, event_id, id
  FROM receiver
  RETURNING id
)
"""
"""CTEs that tell of the rows of a CTE `told` (event_id, workspace_id, event_type, event_data).

An event is written only where an enabled endpoint of its workspace wants its type; `delivery`
then has a row for each such endpoint. A delivery's id is made of its event's and its endpoint's:
there is one for each pair, and ids stay in the order of time. The endpoint is locked against its
deletion, not against its use.
"""
