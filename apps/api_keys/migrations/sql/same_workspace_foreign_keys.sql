-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE api_keys_idempotentanswer
  ADD CONSTRAINT api_keys_answer_api_key_same_workspace
  FOREIGN KEY (workspace_id, api_key_id) REFERENCES api_keys_apikey (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE api_keys_idempotentanswer DROP CONSTRAINT api_keys_answer_api_key_same_workspace;
