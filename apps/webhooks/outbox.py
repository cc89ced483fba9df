"""SQL that writes webhook events in the statement of what happened. Imports nothing of Django."""

EMIT_EVENTS = """
receiver AS (
  SELECT endpoint.id, emitted.workspace_id, emitted.event_id
  FROM emitted JOIN webhooks_endpoint AS endpoint USING (workspace_id)
  WHERE endpoint.disabled_at IS NULL AND emitted.event_type = ANY (endpoint.event_types)
  FOR KEY SHARE OF endpoint
), event AS (
  INSERT INTO webhooks_event (id, workspace_id, type, data)
  SELECT event_id, workspace_id, event_type, event_data FROM emitted
  WHERE event_id IN (SELECT event_id FROM receiver)
), delivery AS (
  INSERT INTO webhooks_delivery (id, workspace_id, event_id, endpoint_id)
  SELECT left(event_id, 10) || left(md5(event_id || id), 15), workspace_id, event_id, id
  FROM receiver
  RETURNING id
)
"""
"""CTEs that write the events of a CTE `emitted` (event_id, workspace_id, event_type, event_data).

An event is written only if an enabled endpoint of its workspace subscribes to its type; `delivery`
then has a row for each such endpoint. A delivery's id is derived from its event's and endpoint's
ids: one for each pair, and ids stay sorted by time. The lock on the endpoint blocks its deletion,
not its use.
"""
