"""A turn opened and a turn settled, each as one statement for any number of turns.

What `services.open_turn` and `services.settle_turn` do in a transaction of ORM calls, for turns
that wait at the same moment. Takes one parameter, a JSON array of objects whose names are the
columns of `asked`, and answers with a row for each of them. Knows nothing of Django, so that
`bench/floor` can use the very same.

Order of locks: the accounts first, in the order of their workspaces, then everything else. Rows
that two such statements could both want belong to a workspace, and its account keeps them apart,
so they never wait for each other in a circle, and what the lock shows of an account stays true to
the end. Times are of the clock, not of the statement's start, because a statement may have waited
for its locks: messages and ledger entries sort as they were written.

Order of look-ups: from what is asked to the tables, row by row, each by the index that names the
row, whatever PostgreSQL believes to be in them. A new table looks to it as if any of its indexes
would do. The index of running turns looks like a handful of rows, to be read whole; but it holds
every turn that has ended since the last vacuum, too. So

- a range of `n` has it expect one row where it would expect a hundred;
- what may be there is asked for as a value: an EXISTS it might answer by reading all there are;
- a turn is settled by its id: its workspace is compared in a way that no index serves, and
  'running' comes with the rows, for as a constant it would offer the index of running turns.

No statement may break `0 ≤ held ≤ balance`: what fits is decided under the lock, and the table's
own check refuses the whole statement should that ever be wrong.
"""

from __future__ import annotations

from apps.webhooks.outbox import TELLING

OPENED = "opened"
SHORT = "short"
AGAIN = "again"
TAKEN = "taken"
NO_ACCOUNT = "no account"

OPEN = f"""
WITH asked AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS asked (
    n integer, workspace_id text, chatbot_id text, api_key_id text, conversation_id text,
    begins boolean, source text, id text, message_id text, user_message_id text, text text,
    metadata jsonb,
    model_name text, credits_per_reply integer, credits_per_1k_input integer,
    credits_per_1k_output integer, credits_held bigint, idempotency_key text,
    request_digest text, request_id text, process text, queue_ms integer,
    event_id text, event_type text, event_data jsonb)
  WHERE n BETWEEN 0 AND 10000
), account AS MATERIALIZED (
  SELECT workspace_id, balance - held AS free FROM credits_account
  WHERE workspace_id IN (SELECT workspace_id FROM asked)
  ORDER BY workspace_id FOR NO KEY UPDATE
), place AS MATERIALIZED (
  SELECT asked.*, free,
    coalesce((SELECT true FROM conversations_turn AS running
              WHERE running.conversation_id = asked.conversation_id
                AND running.status = 'running' LIMIT 1), false)
    OR (idempotency_key IS NOT NULL AND coalesce((
          SELECT true FROM conversations_turn AS earlier
          WHERE earlier.workspace_id = asked.workspace_id
            AND earlier.idempotency_key = asked.idempotency_key LIMIT 1), false))
    OR (NOT begins AND coalesce((SELECT gone.deleted_at IS NOT NULL
            FROM conversations_conversation AS gone
            WHERE gone.id = asked.conversation_id), false)) AS is_taken
  FROM asked JOIN account USING (workspace_id)
), fitting AS (
  -- What does not fit alone takes no room from the others.
  SELECT *, sum(credits_held) OVER (PARTITION BY workspace_id ORDER BY n) AS with_earlier
  FROM place WHERE NOT is_taken AND (credits_held <= free OR credits_held = 0)
), opened AS (
  INSERT INTO conversations_turn (
    id, workspace_id, chatbot_id, conversation_id, api_key_id, status, message_id, model_name,
    credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
    credits_charged, finish_reason, error_code, process, text_so_far, delta_lengths,
    idempotency_key, request_digest, request_id, queue_ms, created_at, heartbeat_at)
  SELECT
    id, workspace_id, chatbot_id, conversation_id, api_key_id, 'running', message_id, model_name,
    credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
    0, '', '', process, '', '{{}}',
    idempotency_key, request_digest, request_id, queue_ms, clock_timestamp(), clock_timestamp()
  FROM fitting WHERE with_earlier <= free OR credits_held = 0
  ORDER BY n
  ON CONFLICT DO NOTHING
  RETURNING id, workspace_id, credits_held
), begun AS (
  INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, source)
  SELECT asked.conversation_id, asked.workspace_id, asked.chatbot_id, asked.source
  FROM asked JOIN opened USING (id) WHERE begins
), continued AS (
  UPDATE conversations_conversation AS conversation SET last_message_at = clock_timestamp()
  FROM asked JOIN opened USING (id)
  WHERE conversation.id = asked.conversation_id
    AND conversation.workspace_id = asked.workspace_id AND NOT begins
), said AS (
  INSERT INTO conversations_message (
    id, workspace_id, conversation_id, turn_id, role, text, metadata, created_at)
  SELECT
    user_message_id, asked.workspace_id, conversation_id, asked.id, 'user', text, metadata,
    clock_timestamp()
  FROM asked JOIN opened USING (id)
), set_aside AS (
  UPDATE credits_account AS account SET held = account.held + sums.credits
  FROM (SELECT workspace_id, sum(credits_held) AS credits FROM opened GROUP BY workspace_id) AS sums
  WHERE account.workspace_id = sums.workspace_id AND sums.credits > 0
), told AS MATERIALIZED (
  SELECT event_id, asked.workspace_id, event_type, event_data
  FROM asked JOIN opened USING (id) WHERE event_id IS NOT NULL
), {TELLING}
SELECT asked.n, CASE
  WHEN opened.id IS NOT NULL THEN 'opened'
  WHEN account.workspace_id IS NULL THEN 'no account'
  WHEN place.is_taken THEN 'taken'
  WHEN asked.credits_held > account.free THEN 'short'
  WHEN fitting.with_earlier > account.free AND asked.credits_held > 0 THEN 'again'
  ELSE 'taken'
END, EXISTS (SELECT FROM delivery)
FROM asked
LEFT JOIN account USING (workspace_id)
LEFT JOIN place USING (id)
LEFT JOIN fitting USING (id)
LEFT JOIN opened USING (id)
"""  # noqa: S608 - a constant of ours
"""Answers (n, outcome, whether any of them is to be delivered to somebody).

    opened      turn, message, hold and (where `begins`) conversation are written
    short       the free credits do not cover it: refused
    again       they did, but not after those before it in the same statement
    taken       a turn runs in its conversation, or it is deleted, or its idempotency key was used
    no account  the workspace has no account yet
"""

SETTLE = f"""
WITH asked AS MATERIALIZED (
  SELECT *, 'running' AS running FROM json_to_recordset(%s::json) AS asked (
    n integer, workspace_id text, conversation_id text, id text, message_id text, entry_id text,
    status text, price bigint, text text, delta_lengths integer[], finish_reason text,
    error_code text, input_tokens integer, output_tokens integer, first_token_at timestamptz,
    event_id text, event_type text, event_data jsonb)
  WHERE n BETWEEN 0 AND 10000
), account AS MATERIALIZED (
  SELECT workspace_id, balance FROM credits_account
  WHERE workspace_id IN (SELECT workspace_id FROM asked)
  ORDER BY workspace_id FOR NO KEY UPDATE
), ended AS (
  UPDATE conversations_turn AS turn SET
    status = asked.status, credits_charged = asked.price, input_tokens = asked.input_tokens,
    output_tokens = asked.output_tokens, finish_reason = asked.finish_reason,
    error_code = asked.error_code, first_token_at = asked.first_token_at, text_so_far = '',
    delta_lengths = asked.delta_lengths, settled_at = clock_timestamp()
  FROM asked LEFT JOIN account USING (workspace_id)
  WHERE turn.id = asked.id AND turn.workspace_id IS NOT DISTINCT FROM asked.workspace_id
    AND turn.status = asked.running
  RETURNING asked.n, turn.id, turn.workspace_id, turn.credits_held, turn.credits_charged,
    coalesce(account.balance, 0) AS balance
), receipt AS MATERIALIZED (
  SELECT *, balance - sum(credits_charged) OVER (PARTITION BY workspace_id ORDER BY n) AS left_over
  FROM ended
), answered AS (
  INSERT INTO conversations_message (
    id, workspace_id, conversation_id, turn_id, role, text, created_at)
  SELECT
    asked.message_id, asked.workspace_id, asked.conversation_id, asked.id, 'assistant',
    asked.text, clock_timestamp()
  FROM asked JOIN ended USING (id) WHERE asked.text <> ''
), charged AS (
  INSERT INTO credits_ledgerentry (
    id, workspace_id, kind, amount, balance_after, turn_id, reason, created_at)
  SELECT
    asked.entry_id, asked.workspace_id, 'charge', -credits_charged, left_over, asked.id, '',
    clock_timestamp()
  FROM asked JOIN receipt USING (id) WHERE credits_charged > 0
  ORDER BY asked.n
), paid AS (
  UPDATE credits_account AS account
  SET balance = account.balance - sums.charged, held = account.held - sums.held
  FROM (
    SELECT workspace_id, sum(credits_charged) AS charged, sum(credits_held) AS held
    FROM ended GROUP BY workspace_id
  ) AS sums
  WHERE account.workspace_id = sums.workspace_id AND (sums.charged > 0 OR sums.held > 0)
), told AS MATERIALIZED (
  SELECT event_id, asked.workspace_id, event_type, event_data
  FROM asked JOIN ended USING (id) WHERE event_id IS NOT NULL
), {TELLING}
SELECT n, credits_charged, left_over::bigint, EXISTS (SELECT FROM delivery) FROM receipt
"""  # noqa: S608 - a constant of ours
"""Answers (n, credits charged, balance after it, whether any is to be delivered to somebody) for
each turn that was running, and no other."""
