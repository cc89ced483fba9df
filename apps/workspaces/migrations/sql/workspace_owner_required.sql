-- Reject a transaction that leaves an open workspace without an owner. The check is deferred to
-- commit so that ownership can be transferred in two statements. The lock on the workspace's row
-- serialises two transactions that each remove an owner: the second sees the first one's change.

-- up
CREATE FUNCTION workspaces_keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM workspaces_workspace
    WHERE id = OLD.workspace_id AND closed_at IS NULL FOR NO KEY UPDATE;
  IF FOUND AND NOT EXISTS (
    SELECT 1 FROM workspaces_member WHERE workspace_id = OLD.workspace_id AND role = 'owner'
  ) THEN
    RAISE EXCEPTION 'The workspace % would be left without an owner.', OLD.workspace_id
      USING ERRCODE = 'check_violation', CONSTRAINT = 'workspaces_has_an_owner';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER workspaces_has_an_owner
  AFTER UPDATE OF role, workspace_id OR DELETE ON workspaces_member
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION workspaces_keep_an_owner();

-- down
DROP TRIGGER workspaces_has_an_owner ON workspaces_member;
DROP FUNCTION workspaces_keep_an_owner();
