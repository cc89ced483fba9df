"""SQL that locks accounts, and CTEs that hold and charge credits inside another app's statement.

Opening and settling turns are single statements (`apps.turns.sql`) that also move credits. The
tables of credits are written only by this app's SQL, so those statements include these texts in
their WITH clause, separated by commas. Each constant documents the CTEs that it expects and the
ones that it defines. This module does not import Django, so that `bench/floor` can use it.

`LOCK_ACCOUNTS` is executed first, as a statement of its own: accounts are locked in the order of
their workspaces, so that two transactions never deadlock, and what comes after it sees what the
lock was waited for. The check constraint of the account (`0 ≤ held ≤ balance`) fails the whole
statement if a caller holds more than `account.free`.
"""

LOCK_ACCOUNTS = """\
SELECT FROM credits_account WHERE workspace_id = ANY (string_to_array(%s, ','))
ORDER BY workspace_id FOR NO KEY UPDATE
"""
"""Lock the accounts of workspaces until the transaction ends. Parameter: their ids, with commas."""

ACCOUNTS = """\
account AS MATERIALIZED (
  SELECT workspace_id, balance, held, balance - held AS free, running_turns, plan_id
  FROM credits_account
  WHERE workspace_id IN (SELECT workspace_id FROM input)
  ORDER BY workspace_id FOR NO KEY UPDATE
)"""
"""The accounts of the input's workspaces, which `LOCK_ACCOUNTS` has locked.

Expects `input (workspace_id)`. Defines `account (workspace_id, balance, held, free,
running_turns, plan_id)`; a workspace without an account has no row. `free` is the balance that is
not held. An account that was created since the lock is locked here; what is written is computed
from this row, and so is right for it.
"""

MAX_RUNNING_TURNS = """\
coalesce(
      (SELECT max_running_turns FROM credits_plan WHERE credits_plan.id = plan_id), max_running)"""
"""How many turns a workspace may run at once: by its plan, or else the `max_running` of the input.
An expression over `account` and `input (max_running)`."""

HOLD_CREDITS = """\
held_credits AS (
  UPDATE credits_account
  SET held = account.held + sums.credits, running_turns = account.running_turns + sums.turns
  FROM account JOIN (
    SELECT workspace_id, sum(credits_held) AS credits, count(*) AS turns
    FROM opened_turns GROUP BY workspace_id
  ) AS sums USING (workspace_id)
  WHERE credits_account.workspace_id = account.workspace_id
)"""
"""Set credits aside for the turns that this statement inserted, and count them as running.

Expects `account` and `opened_turns (workspace_id, credits_held)`. Defines `held_credits`, which has
no rows.
"""

CHARGE_CREDITS = """\
receipt AS MATERIALIZED (
  SELECT *,
    balance - sum(credits_charged) OVER (PARTITION BY workspace_id ORDER BY n) AS balance_after
  FROM settled_turns
), charge_entries AS (
  INSERT INTO credits_ledgerentry (
    id, workspace_id, kind, amount, balance_after, turn_id, reason, created_at)
  SELECT
    input.entry_id, input.workspace_id, 'charge', -credits_charged, balance_after, input.id, '',
    clock_timestamp()
  FROM input JOIN receipt USING (id) WHERE credits_charged > 0
  ORDER BY input.n
)"""
"""Insert a ledger entry for each settled turn that was charged, in the order of `n`.

Expects `input (n, id, workspace_id, entry_id)` and `settled_turns (n, id, workspace_id,
credits_charged, balance)`, where `id` is the turn's and `balance` is its account's from
`ACCOUNTS`, before any of the charges. Defines `receipt`: the columns of `settled_turns` and
`balance_after` (numeric), the balance after that turn's charge; and `charge_entries`, which has no
rows. Include `PAY_CHARGES` too: it changes the balance.
"""

PAY_CHARGES = """\
paid_charges AS (
  UPDATE credits_account
  SET balance = account.balance - sums.charged, held = account.held - sums.held,
    running_turns = greatest(account.running_turns - sums.turns, 0)
  FROM account JOIN (
    SELECT workspace_id, sum(credits_charged) AS charged, sum(credits_held) AS held,
      count(*) AS turns
    FROM settled_turns GROUP BY workspace_id
  ) AS sums USING (workspace_id)
  WHERE credits_account.workspace_id = account.workspace_id
)"""
"""Pay the charges and release the holds of the turns that this statement settled.

They do not count as running any more.

Expects `account` and `settled_turns (workspace_id, credits_charged, credits_held)`. Defines
`paid_charges`, which has no rows.
"""
