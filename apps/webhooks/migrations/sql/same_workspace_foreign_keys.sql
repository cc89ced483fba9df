-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE webhooks_delivery
  ADD CONSTRAINT webhooks_delivery_event_id_same_workspace
  FOREIGN KEY (workspace_id, event_id) REFERENCES webhooks_event (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE webhooks_delivery
  ADD CONSTRAINT webhooks_delivery_endpoint_id_same_workspace
  FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhooks_endpoint (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE webhooks_delivery DROP CONSTRAINT webhooks_delivery_event_id_same_workspace;
ALTER TABLE webhooks_delivery DROP CONSTRAINT webhooks_delivery_endpoint_id_same_workspace;
