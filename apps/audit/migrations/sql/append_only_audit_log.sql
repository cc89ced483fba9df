-- Reject UPDATE, DELETE and TRUNCATE of audit entries.

-- up
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_log_is_append_only
  BEFORE UPDATE OR DELETE ON audit_auditentry
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();

CREATE TRIGGER audit_log_is_never_emptied
  BEFORE TRUNCATE ON audit_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

-- down
DROP TRIGGER audit_log_is_never_emptied ON audit_auditentry;
DROP TRIGGER audit_log_is_append_only ON audit_auditentry;
DROP FUNCTION audit_refuse_change();
