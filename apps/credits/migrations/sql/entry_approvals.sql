-- The second person for a ledger entry is another one than its author, belongs to another workspace,
-- and stays written down.

-- up
CREATE FUNCTION credits_check_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM credits_ledgerentry AS entry
    WHERE entry.id = NEW.entry_id AND entry.workspace_id = NEW.workspace_id
      AND entry.created_by_id <> NEW.approved_by_id
      AND NOT EXISTS (
        SELECT FROM workspaces_member AS member
        WHERE member.user_id = NEW.approved_by_id AND member.workspace_id = entry.workspace_id))
  THEN
    RAISE EXCEPTION 'Entry % takes a second person, from another workspace.', NEW.entry_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION credits_refuse_approval_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Approvals are append-only: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER credits_approval_is_by_another
  BEFORE INSERT ON credits_entryapproval
  FOR EACH ROW EXECUTE FUNCTION credits_check_approval();

CREATE TRIGGER credits_approvals_are_append_only
  BEFORE UPDATE OR DELETE ON credits_entryapproval
  FOR EACH ROW EXECUTE FUNCTION credits_refuse_approval_change();

CREATE TRIGGER credits_approvals_are_never_emptied
  BEFORE TRUNCATE ON credits_entryapproval
  FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_approval_change();

-- down
DROP TRIGGER credits_approvals_are_never_emptied ON credits_entryapproval;
DROP TRIGGER credits_approvals_are_append_only ON credits_entryapproval;
DROP TRIGGER credits_approval_is_by_another ON credits_entryapproval;
DROP FUNCTION credits_refuse_approval_change();
DROP FUNCTION credits_check_approval();
