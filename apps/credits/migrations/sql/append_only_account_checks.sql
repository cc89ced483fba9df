-- Reject UPDATE, DELETE and TRUNCATE of the nightly checks of accounts.

-- up
CREATE FUNCTION credits_refuse_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'What a night found is append-only: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER credits_checks_are_append_only
  BEFORE UPDATE OR DELETE ON credits_accountcheck
  FOR EACH ROW EXECUTE FUNCTION credits_refuse_check_change();

CREATE TRIGGER credits_checks_are_never_emptied
  BEFORE TRUNCATE ON credits_accountcheck
  FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_check_change();

-- down
DROP TRIGGER credits_checks_are_never_emptied ON credits_accountcheck;
DROP TRIGGER credits_checks_are_append_only ON credits_accountcheck;
DROP FUNCTION credits_refuse_check_change();
