"""What PostgreSQL itself refuses, whoever asks: one's own workspace, and any change of what was
decided. The trigger on the ledger asks nothing of entries that nobody made by hand: charges."""

from django.db import migrations

REFUSE = """
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

CREATE FUNCTION adjustments_keep_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.entry_id IS NOT NULL
    OR to_jsonb(NEW) - 'entry_id' IS DISTINCT FROM to_jsonb(OLD) - 'entry_id'
  THEN
    RAISE EXCEPTION 'A line of an adjustment stays as it was asked for.'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER adjustments_lines_stay
  BEFORE UPDATE ON adjustments_adjustmentline
  FOR EACH ROW EXECUTE FUNCTION adjustments_keep_line();

CREATE FUNCTION adjustments_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Adjustments are append-only: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER adjustments_are_kept
  BEFORE DELETE OR TRUNCATE ON adjustments_adjustment
  FOR EACH STATEMENT EXECUTE FUNCTION adjustments_refuse_removal();
CREATE TRIGGER adjustments_lines_are_kept
  BEFORE DELETE OR TRUNCATE ON adjustments_adjustmentline
  FOR EACH STATEMENT EXECUTE FUNCTION adjustments_refuse_removal();
"""

ALLOW = """
DROP TRIGGER adjustments_lines_are_kept ON adjustments_adjustmentline;
DROP TRIGGER adjustments_are_kept ON adjustments_adjustment;
DROP FUNCTION adjustments_refuse_removal();
DROP TRIGGER adjustments_lines_stay ON adjustments_adjustmentline;
DROP FUNCTION adjustments_keep_line();
DROP TRIGGER adjustments_are_decided_once ON adjustments_adjustment;
DROP FUNCTION adjustments_decide_once();
DROP TRIGGER adjustments_nobodys_own_line ON adjustments_adjustmentline;
DROP FUNCTION adjustments_refuse_own_line();
DROP TRIGGER adjustments_nobodys_own_entry ON credits_ledgerentry;
DROP FUNCTION adjustments_refuse_own_entry();
DROP FUNCTION adjustments_belongs(text, text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("adjustments", "0001_first"),
        ("credits", "0004_what_an_entry_names"),
        ("workspaces", "0003_every_workspace_has_an_owner"),
    ]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
