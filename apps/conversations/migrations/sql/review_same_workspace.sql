-- A review belongs to a turn of its own workspace.

-- up
ALTER TABLE conversations_questionreview
  ADD CONSTRAINT conversations_review_turn_same_workspace
  FOREIGN KEY (workspace_id, turn_id) REFERENCES conversations_turn (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE conversations_questionreview DROP CONSTRAINT conversations_review_turn_same_workspace;
