from django.conf import settings
from django.db import migrations, models

# The form of an entry, and the hash that binds it to the one before it. `apps/credits/ledger_chain.py`
# says the same in Python, on its own, so that each finds a fault of the other. Times count in
# microseconds since 1970. A column that is added later joins by a form of its own, for the entries
# after it: what has been hashed stays as it was.
FORM = """
CREATE FUNCTION credits_entry_hash(entry credits_ledgerentry, before text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT encode(sha256(convert_to(json_build_array(
    before, entry.sequence, entry.id, entry.workspace_id, entry.kind, entry.amount,
    entry.balance_after, entry.turn_id, entry.reason, entry.created_by_id,
    (extract(epoch FROM entry.created_at) * 1000000)::bigint, entry.category, entry.reference,
    (extract(epoch FROM entry.expires_at) * 1000000)::bigint, host(entry.from_ip),
    entry.reverses_id
  )::text, 'UTF8')), 'hex')
$$;
"""
FORGET_FORM = "DROP FUNCTION credits_entry_hash(credits_ledgerentry, text);"

# Everything that was written before there was a chain, in the order in which it was written.
CHAIN_THE_PAST = """
ALTER TABLE credits_ledgerentry DISABLE TRIGGER credits_ledger_is_append_only;
DO $$
DECLARE
  entry credits_ledgerentry;
  workspace text := '';
  before text;
  number bigint;
BEGIN
  FOR entry IN SELECT * FROM credits_ledgerentry ORDER BY workspace_id, created_at, id LOOP
    IF entry.workspace_id <> workspace THEN
      workspace := entry.workspace_id;
      before := '';
      number := 0;
    END IF;
    number := number + 1;
    entry.sequence := number;
    before := credits_entry_hash(entry, before);
    UPDATE credits_ledgerentry SET sequence = number, hash = before WHERE id = entry.id;
  END LOOP;
END $$;
ALTER TABLE credits_ledgerentry ENABLE TRIGGER credits_ledger_is_append_only;
"""

# Whoever writes an entry holds its account's lock, so the entry found last is the last. Should one
# ever write without it, the unique sequence refuses the second of two. A volatile function sees
# what the same statement has written before: many charges of one workspace chain in one statement.
CHAIN = """
CREATE FUNCTION credits_chain_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
  before text;
BEGIN
  SELECT sequence, hash INTO number, before FROM credits_ledgerentry
  WHERE workspace_id = NEW.workspace_id ORDER BY sequence DESC LIMIT 1;
  NEW.sequence := coalesce(number, 0) + 1;
  NEW.hash := credits_entry_hash(NEW, coalesce(before, ''));
  RETURN NEW;
END $$;

CREATE TRIGGER credits_ledger_is_a_chain
  BEFORE INSERT ON credits_ledgerentry
  FOR EACH ROW EXECUTE FUNCTION credits_chain_entry();
-- In sessions that load rows without other triggers, too: no entry is without its place.
ALTER TABLE credits_ledgerentry ENABLE ALWAYS TRIGGER credits_ledger_is_a_chain;

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
"""
UNCHAIN = """
DROP TRIGGER credits_reversal_is_contrary ON credits_ledgerentry;
DROP FUNCTION credits_check_reversal();
DROP TRIGGER credits_ledger_is_a_chain ON credits_ledgerentry;
DROP FUNCTION credits_chain_entry();
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0006_months_of_accounts")]
    operations = [
        migrations.RunSQL(FORM, FORGET_FORM),
        migrations.RunSQL(CHAIN_THE_PAST, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "ledgerentry",
            models.UniqueConstraint("workspace", "sequence", name="credits_ledger_in_order"),
        ),
        migrations.RunSQL(CHAIN, UNCHAIN),
        # Indexes that the new one makes needless, or that no charge needs: what pays for the chain.
        migrations.AlterField(
            "ledgerentry",
            "workspace",
            models.ForeignKey(
                "workspaces.workspace", models.PROTECT, related_name="ledger", db_index=False
            ),
        ),
        migrations.AlterField(
            "ledgerentry",
            "created_by",
            models.ForeignKey(
                settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, db_index=False
            ),
        ),
        migrations.AddIndex(
            "ledgerentry",
            models.Index(
                fields=["created_by"],
                name="credits_ledger_made_by",
                condition=models.Q(created_by__isnull=False),
            ),
        ),
    ]
