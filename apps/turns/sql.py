"""The two SQL statements that open and settle turns, for any number of turns at once.

Each takes one parameter, a JSON array of objects with the columns of its `input` CTE, and returns
rows that name their object by `n`. Each app's tables are written by that app's own CTEs
(`conversations.sql`, `credits.sql`, `webhooks.outbox`). This module does not import Django, so
that `bench/floor` can run the same SQL.

Locks: `LOCK_ACCOUNTS` comes first, as a statement of its own in the same transaction. All rows that
two such transactions could both want belong to one workspace, whose account serialises them: they
never deadlock, and what a statement sees of its workspaces when it begins stays true. Timestamps
use clock_timestamp(), not now(), because the transaction may have waited for its locks: messages
and ledger entries sort in the order in which they were written.

Plans: every step is an index look-up per input row, whatever PostgreSQL believes of the tables.
To the planner a new table looks as if any of its indexes would do, and the index of running turns
looks tiny, though it still holds every turn that ended since the last vacuum. Therefore

- a range of `n` makes it expect one row where it would expect a hundred;
- existence is asked for as a scalar subquery: an EXISTS may be answered by reading a whole index;
- a turn is settled by its id: its workspace is compared in a way that no index serves, and
  'running' comes with the input, because a constant would offer the index of running turns.

No statement may break `0 ≤ held ≤ balance`: what fits is decided under the lock, and the check
constraint of the account would refuse the whole statement.
"""

import json
from collections.abc import Sequence
from typing import Any

from apps.conversations.sql import (
    BEGIN_CONVERSATIONS,
    INSERT_ANSWERS,
    INSERT_USER_MESSAGES,
    TOUCH_CONVERSATIONS,
)
from apps.credits.sql import (
    ACCOUNTS,
    CHARGE_CREDITS,
    HOLD_CREDITS,
    LOCK_ACCOUNTS,
    MAX_RUNNING_TURNS,
    PAY_CHARGES,
)
from apps.webhooks.outbox import EMIT_EVENTS

Row = dict[str, Any]

MAX_CONCURRENT_STATEMENTS = 2
"""Statements of a kind at once. The second starts only while the first is slow: an account that
somebody else has locked must not make everybody wait."""


def encode_rows(rows: Sequence[Row]) -> str:
    """The parameter of a statement: the rows as a JSON array, numbered by `n`."""
    return json.dumps([{"n": number, **row} for number, row in enumerate(rows)])


def lock_accounts(rows: Sequence[Row]) -> tuple[str, str]:
    """The statement that locks the accounts of the rows' workspaces, with its parameter."""
    return LOCK_ACCOUNTS, ",".join({row["workspace_id"] for row in rows})


OPENED = "opened"
NO_ACCOUNT = "no account"
KEY_USED = "key used"
DELETED = "deleted"
BUSY = "busy"
FULL = "full"
SHORT = "short"
RETRY = "retry"

OPEN = f"""
WITH input AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS input (
    n integer, workspace_id text, chatbot_id text, api_key_id text, conversation_id text,
    begins boolean, source text, id text, message_id text, user_message_id text, text text,
    metadata jsonb,
    model_name text, credits_per_reply integer, credits_per_1k_input integer,
    credits_per_1k_output integer, credits_held bigint, idempotency_key text,
    request_digest text, request_id text, process text, queue_ms integer, max_running integer,
    event_id text, event_type text, event_data jsonb)
  WHERE n BETWEEN 0 AND 10000
), {ACCOUNTS}, candidate AS MATERIALIZED (
  SELECT input.*, free, running_turns, {MAX_RUNNING_TURNS} AS max_turns,
    coalesce((SELECT true FROM conversations_turn AS running
              WHERE running.conversation_id = input.conversation_id
                AND running.status = 'running' LIMIT 1), false) AS is_busy,
    idempotency_key IS NOT NULL AND coalesce((
          SELECT true FROM conversations_turn AS earlier
          WHERE earlier.workspace_id = input.workspace_id
            AND earlier.idempotency_key = input.idempotency_key LIMIT 1), false) AS is_key_used,
    NOT begins AND coalesce((SELECT conversation.deleted_at IS NOT NULL
            FROM conversations_conversation AS conversation
            WHERE conversation.id = input.conversation_id), false) AS is_deleted
  FROM input JOIN account USING (workspace_id)
), affordable AS (
  -- A turn that does not fit by itself takes no credits from the others.
  SELECT *, sum(credits_held) OVER earlier AS with_earlier,
    running_turns + count(*) OVER earlier AS running
  FROM candidate
  WHERE NOT is_key_used AND NOT is_deleted AND NOT is_busy
    AND (credits_held <= free OR credits_held = 0)
  WINDOW earlier AS (PARTITION BY workspace_id ORDER BY n)
), opened_turns AS (
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
  FROM affordable WHERE (with_earlier <= free OR credits_held = 0) AND running <= max_turns
  ORDER BY n
  ON CONFLICT DO NOTHING
  RETURNING id, workspace_id, credits_held
), {BEGIN_CONVERSATIONS}, {TOUCH_CONVERSATIONS}, {INSERT_USER_MESSAGES}, {HOLD_CREDITS},
emitted AS MATERIALIZED (
  SELECT event_id, input.workspace_id, event_type, event_data
  FROM input JOIN opened_turns USING (id) WHERE event_id IS NOT NULL
), {EMIT_EVENTS}
SELECT input.n, CASE
  WHEN opened_turns.id IS NOT NULL THEN '{OPENED}'
  WHEN account.workspace_id IS NULL THEN '{NO_ACCOUNT}'
  WHEN candidate.is_key_used THEN '{KEY_USED}'
  WHEN candidate.is_deleted THEN '{DELETED}'
  WHEN candidate.is_busy THEN '{BUSY}'
  WHEN candidate.running_turns >= candidate.max_turns THEN '{FULL} ' || candidate.max_turns
  WHEN input.credits_held > account.free THEN '{SHORT} ' || account.free
  ELSE '{RETRY}'
END, EXISTS (SELECT FROM delivery)
FROM input
LEFT JOIN account USING (workspace_id)
LEFT JOIN candidate USING (id)
LEFT JOIN opened_turns USING (id)
"""  # noqa: S608 - constants of ours
"""Returns (n, outcome, whether any webhook delivery was written).

    opened      turn, message, hold and (where `begins`) conversation are written
    no account  the workspace has no account yet
    key used    a turn has this idempotency key
    deleted     the conversation is deleted
    busy        a turn runs in the conversation
    full N      as many turns run in the workspace as may, N
    short N     the free credits, N, do not cover the hold
    retry       only what came before it in the same statement stood in its way: ask again, and
                the next statement sees why
"""

SETTLE = f"""
WITH input AS MATERIALIZED (
  SELECT *, 'running' AS running FROM json_to_recordset(%s::json) AS input (
    n integer, workspace_id text, conversation_id text, id text, message_id text, entry_id text,
    status text, price bigint, text text, delta_lengths integer[], finish_reason text,
    error_code text, input_tokens integer, output_tokens integer, first_token_at timestamptz,
    knowledge text, event_id text, event_type text, event_data jsonb)
  WHERE n BETWEEN 0 AND 10000
), {ACCOUNTS}, settled_turns AS (
  UPDATE conversations_turn AS turn SET
    status = input.status, credits_charged = input.price, input_tokens = input.input_tokens,
    output_tokens = input.output_tokens, finish_reason = input.finish_reason,
    error_code = input.error_code, first_token_at = input.first_token_at, text_so_far = '',
    knowledge = coalesce(input.knowledge, ''),
    delta_lengths = input.delta_lengths, settled_at = clock_timestamp()
  FROM input LEFT JOIN account USING (workspace_id)
  WHERE turn.id = input.id AND turn.workspace_id IS NOT DISTINCT FROM input.workspace_id
    AND turn.status = input.running
  RETURNING input.n, turn.id, turn.workspace_id, turn.credits_held, turn.credits_charged,
    coalesce(account.balance, 0) AS balance
), {INSERT_ANSWERS}, {CHARGE_CREDITS}, {PAY_CHARGES},
emitted AS MATERIALIZED (
  SELECT event_id, input.workspace_id, event_type, event_data
  FROM input JOIN settled_turns USING (id) WHERE event_id IS NOT NULL
), {EMIT_EVENTS}
SELECT n, credits_charged, balance_after::bigint, EXISTS (SELECT FROM delivery) FROM receipt
"""  # noqa: S608 - constants of ours
"""Returns (n, credits charged, balance afterwards, whether any webhook delivery was written) for
each turn that was running, and no row for the others."""
