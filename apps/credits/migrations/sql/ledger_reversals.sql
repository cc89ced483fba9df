-- A reversal must have the same workspace and the opposite amount of the entry that it reverses.

-- up
CREATE FUNCTION credits_check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM credits_ledgerentry AS undone
    WHERE undone.id = NEW.reverses_id AND undone.workspace_id = NEW.workspace_id
      AND undone.amount = -NEW.amount AND undone.reverses_id IS NULL)
  THEN
    RAISE EXCEPTION 'Entry % does not undo entry %: it must be of the same workspace and contrary.',
      NEW.id, NEW.reverses_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER credits_reversal_is_contrary
  AFTER INSERT ON credits_ledgerentry
  FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL) EXECUTE FUNCTION credits_check_reversal();

-- down
DROP TRIGGER credits_reversal_is_contrary ON credits_ledgerentry;
DROP FUNCTION credits_check_reversal();
