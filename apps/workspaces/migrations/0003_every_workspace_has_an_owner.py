from django.db import migrations

# Checked when a transaction commits, so that ownership can be handed over in two statements. Two
# transactions that each take an owner away wait for each other at the workspace's row, and the
# second then sees what the first has done.
KEEP = """
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
"""

LET_GO = """
DROP TRIGGER workspaces_has_an_owner ON workspaces_member;
DROP FUNCTION workspaces_keep_an_owner();
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0002_invitations_and_an_end")]
    operations = [migrations.RunSQL(KEEP, LET_GO)]
