-- A citation belongs to a turn of its own workspace.

-- up
ALTER TABLE conversations_citation
  ADD CONSTRAINT conversations_citation_turn_same_workspace
  FOREIGN KEY (workspace_id, turn_id) REFERENCES conversations_turn (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE conversations_citation DROP CONSTRAINT conversations_citation_turn_same_workspace;
