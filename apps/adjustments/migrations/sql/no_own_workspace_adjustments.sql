-- Nobody can move credits of a workspace that they are a member of: not as the author of a ledger
-- entry, not by requesting an adjustment and not by approving one. Ledger entries without an author
-- (charges) are not checked. An adjustment is decided once, and what was requested never changes.

-- up
CREATE FUNCTION adjustments_belongs(person text, place text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM workspaces_member WHERE user_id = person AND workspace_id = place)
$$;

CREATE FUNCTION adjustments_refuse_own_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF adjustments_belongs(NEW.created_by_id, NEW.workspace_id) THEN
    RAISE EXCEPTION 'Nobody moves credits of a workspace that they belong to.'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER adjustments_nobodys_own_entry
  BEFORE INSERT ON credits_ledgerentry
  FOR EACH ROW WHEN (NEW.created_by_id IS NOT NULL)
  EXECUTE FUNCTION adjustments_refuse_own_entry();

CREATE FUNCTION adjustments_refuse_own_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM adjustments_adjustment a
    WHERE a.id = NEW.adjustment_id AND adjustments_belongs(a.requested_by_id, NEW.workspace_id)
  ) THEN
    RAISE EXCEPTION 'Nobody adjusts a workspace that they belong to.'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER adjustments_nobodys_own_line
  BEFORE INSERT ON adjustments_adjustmentline
  FOR EACH ROW EXECUTE FUNCTION adjustments_refuse_own_line();

CREATE FUNCTION adjustments_decide_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status <> 'pending'
    OR (NEW.id, NEW.requested_by_id, NEW.requested_at, NEW.requested_from, NEW.lapses_at,
        NEW.file_name, NEW.file_digest)
      IS DISTINCT FROM
       (OLD.id, OLD.requested_by_id, OLD.requested_at, OLD.requested_from, OLD.lapses_at,
        OLD.file_name, OLD.file_digest)
  THEN
    RAISE EXCEPTION 'An adjustment is decided once, and what was asked for stays as it was.'
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = 'approved' AND EXISTS (
    SELECT FROM adjustments_adjustmentline l
    WHERE l.adjustment_id = NEW.id AND adjustments_belongs(NEW.decided_by_id, l.workspace_id)
  ) THEN
    RAISE EXCEPTION 'Nobody approves an adjustment of a workspace that they belong to.'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER adjustments_are_decided_once
  BEFORE UPDATE ON adjustments_adjustment
  FOR EACH ROW EXECUTE FUNCTION adjustments_decide_once();

-- down
DROP TRIGGER adjustments_are_decided_once ON adjustments_adjustment;
DROP FUNCTION adjustments_decide_once();
DROP TRIGGER adjustments_nobodys_own_line ON adjustments_adjustmentline;
DROP FUNCTION adjustments_refuse_own_line();
DROP TRIGGER adjustments_nobodys_own_entry ON credits_ledgerentry;
DROP FUNCTION adjustments_refuse_own_entry();
DROP FUNCTION adjustments_belongs(text, text);
