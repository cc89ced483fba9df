-- Reject changes of adjustment lines, except setting their ledger entry once, and reject DELETE and
-- TRUNCATE of adjustments and lines.

-- up
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

-- down
DROP TRIGGER adjustments_lines_are_kept ON adjustments_adjustmentline;
DROP TRIGGER adjustments_are_kept ON adjustments_adjustment;
DROP FUNCTION adjustments_refuse_removal();
DROP TRIGGER adjustments_lines_stay ON adjustments_adjustmentline;
DROP FUNCTION adjustments_keep_line();
