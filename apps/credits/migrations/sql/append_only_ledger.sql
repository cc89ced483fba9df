-- Reject UPDATE, DELETE and TRUNCATE of ledger entries.

-- up
CREATE FUNCTION credits_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The ledger is append-only: % is refused. Post a contrary entry.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER credits_ledger_is_append_only
  BEFORE UPDATE OR DELETE ON credits_ledgerentry
  FOR EACH ROW EXECUTE FUNCTION credits_refuse_change();

CREATE TRIGGER credits_ledger_is_never_emptied
  BEFORE TRUNCATE ON credits_ledgerentry
  FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_change();

-- down
DROP TRIGGER credits_ledger_is_never_emptied ON credits_ledgerentry;
DROP TRIGGER credits_ledger_is_append_only ON credits_ledgerentry;
DROP FUNCTION credits_refuse_change();
