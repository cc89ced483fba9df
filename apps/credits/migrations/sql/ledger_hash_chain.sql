-- Chain the ledger entries of each workspace by hash. apps/credits/ledger_chain.py implements the
-- same hash in Python, so that an error in one implementation is found by the other. Times are
-- microseconds since 1970. Existing hashes must not change: if a column is added to the ledger,
-- keep this form for the older entries.
--
-- The writer holds the account's lock, so the entry with the highest sequence is the last one;
-- without the lock, the unique (workspace, sequence) rejects the second of two writers. The trigger
-- function is volatile, so it sees rows that the same statement has inserted before: one statement
-- can chain many charges of a workspace.

-- up
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
-- Also in sessions with session_replication_role = replica, which skip other triggers.
ALTER TABLE credits_ledgerentry ENABLE ALWAYS TRIGGER credits_ledger_is_a_chain;

-- down
DROP TRIGGER credits_ledger_is_a_chain ON credits_ledgerentry;
DROP FUNCTION credits_chain_entry();
DROP FUNCTION credits_entry_hash(credits_ledgerentry, text);
