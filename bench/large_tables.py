"""Fill the tables that grow with use, to test and measure queries on large tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection

from apps.api_keys.services import issue_key
from apps.audit.services import SYSTEM
from apps.chatbots.models import LanguageModel
from apps.chatbots.services import create_chatbot
from apps.credits.services import open_account
from apps.webhooks.models import SUBSCRIBABLE_EVENT_TYPES
from apps.webhooks.services import create_endpoint
from apps.workspaces.models import Workspace

ROWS = 20_000

# An id as `new_id` creates it, for a given time.
_CREATE_ID_FUNCTION = """
CREATE FUNCTION pg_temp.id_at(at timestamptz, n bigint, kind text) RETURNS text LANGUAGE sql AS $$
  SELECT 'c' || string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz',
           1 + (div(ms, (36::numeric ^ k)::bigint) % 36)::int, 1), '' ORDER BY k DESC)
         || kind || lpad(n::text, 14, '0')
  FROM (SELECT floor(extract(epoch FROM at) * 1000)::numeric) AS input (ms),
       generate_series(0, 8) AS k
  GROUP BY ms
$$
"""
_CREATE_TIMES = """
CREATE TEMPORARY TABLE times ON COMMIT DROP AS
SELECT n, at, pg_temp.id_at(at, n, 'a') AS id, n %% 300 = 7 AS is_rare
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - (%(rows)s - n) * interval '90 days' / %(rows)s) AS input (at)
"""
_INSERTS = {
    "conversations_conversation": """
        (id, workspace_id, chatbot_id, created_at, last_message_at)
        SELECT id, %(workspace)s, %(chatbot)s, at, at FROM times""",
    "conversations_turn": """
        (id, workspace_id, chatbot_id, conversation_id, status, message_id, model_name,
         credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
         credits_charged, finish_reason, error_code, process, text_so_far, delta_lengths,
         request_digest, request_id, queue_ms, created_at, heartbeat_at, settled_at)
        SELECT id, %(workspace)s, %(chatbot)s, id, CASE WHEN is_rare THEN 'failed' ELSE 'completed'
         END, id, 'a model', 1, 0, 0, 1, 0, '', CASE WHEN is_rare THEN 'MODEL_ERROR' ELSE '' END,
         '', '', '{}', '', 'req_' || n, 0, at, at, at FROM times""",
    "conversations_message": """
        (id, workspace_id, conversation_id, turn_id, role, text, created_at)
        SELECT id, %(workspace)s, id, id, CASE WHEN n %% 2 = 0 THEN 'user' ELSE 'assistant' END,
         'text', at FROM times""",
    "credits_ledgerentry": """
        (id, workspace_id, kind, amount, balance_after, turn_id, reason, reference, category,
         created_at)
        SELECT id, %(workspace)s, CASE WHEN is_rare THEN 'grant' ELSE 'charge' END,
         CASE WHEN is_rare THEN 1 ELSE -1 END, 0, id, '',
         CASE WHEN is_rare THEN 'ref-' || n ELSE '' END,
         CASE WHEN is_rare THEN 'promotion' ELSE '' END, at FROM times""",
    "audit_auditentry": """
        (id, workspace_id, actor_kind, actor_id, actor_label, action, target_id, target_label,
         details, request_id, created_at)
        SELECT id, %(workspace)s, CASE WHEN is_rare THEN 'staff' ELSE 'person' END, '',
         CASE WHEN is_rare THEN 'staff@example.com' ELSE n || '@example.com' END,
         CASE WHEN is_rare THEN 'key.revoked' ELSE 'lead.updated' END, id, '', '{}', 'req_' || n, at
        FROM times""",
    "webhooks_event": """
        (id, workspace_id, type, data, created_at)
        SELECT id, %(workspace)s, 'message.completed', '{}', at FROM times""",
    "webhooks_delivery": """
        (id, workspace_id, event_id, endpoint_id, status, next_attempt_at, error, created_at)
        SELECT id, %(workspace)s, id, %(endpoint)s,
         CASE WHEN is_rare THEN 'failed' ELSE 'delivered' END, NULL, '', at FROM times""",
    "leads_lead": """
        (id, workspace_id, chatbot_id, name, email, phone, source, status, metadata, created_at)
        SELECT id, %(workspace)s, %(chatbot)s, 'Name ' || n, n || '@example.com', '', 'api',
         CASE WHEN is_rare THEN 'lost' ELSE 'new' END, '{}', at FROM times""",
    "leads_capturedfield": """
        (id, workspace_id, lead_id, message_id, field, value, created_at)
        SELECT id, %(workspace)s, id, id, (ARRAY['name', 'email', 'phone'])[1 + n %% 3], 'x', at
        FROM times""",
    "leads_reading": """
        (turn_id, workspace_id, created_at) SELECT id, %(workspace)s, at FROM times""",
    "api_keys_idempotentanswer": """
        (workspace_id, api_key_id, idempotency_key, request_digest, status, sealed_body, created_at)
        SELECT %(workspace)s, %(api_key)s, 'key ' || n, '', 201, 'x', at FROM times""",
}
LARGE_TABLES = frozenset(_INSERTS)
"""Tables that grow with use and not only with the number of workspaces."""

REFERENCED_TABLES = (
    "workspaces_workspace",
    "chatbots_chatbot",
    "webhooks_endpoint",
    "api_keys_apikey",
    "credits_account",
)
"""Tables that lists join. They need statistics too: if the planner takes one for empty, it expects
no joined row and reads the whole large table."""


def fill_tables(
    workspace: Workspace, rows: int = ROWS, tables: Collection[str] = LARGE_TABLES
) -> dict[str, str]:
    """Insert `rows` rows into each table, from 90 days ago until now; one in 300 is different.

    Foreign keys are not checked. Returns search terms, by name, that find some of the rows. Call it
    in a transaction.
    """
    open_account(workspace_id=workspace.id)
    chatbot = create_chatbot(
        workspace=workspace,
        name="Bot",
        language_model=LanguageModel.objects.get(name="sandbox/echo"),
    )
    endpoint, _ = create_endpoint(
        workspace_id=workspace.id,
        actor=SYSTEM,
        url="http://127.0.0.1:9/hook",
        event_types=SUBSCRIBABLE_EVENT_TYPES,
    )
    values: dict[str, Any] = {
        "rows": rows,
        "workspace": workspace.id,
        "chatbot": chatbot.id,
        "endpoint": endpoint.id,
        "api_key": issue_key(workspace=workspace, name="n")[0].id,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        # The trigger that chains ledger entries may have planned its query when the table was
        # small. That plan would sort the whole table for each new entry.
        cursor.execute("DISCARD PLANS")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(_CREATE_ID_FUNCTION)
        cursor.execute(_CREATE_TIMES, values)
        for table, statement in _INSERTS.items():
            if table in tables:
                cursor.execute(f"INSERT INTO {table} {statement}", values)
        cursor.execute("SET LOCAL enable_sort = on")
        cursor.execute("SET LOCAL session_replication_role = origin")
        # In production, vacuum has moved new entries from the pending list into the index.
        cursor.execute("SELECT gin_clean_pending_list('leads_search')")
        for table in (*tables, *REFERENCED_TABLES):
            cursor.execute(f"ANALYZE {table}")
        cursor.execute("SELECT id FROM times WHERE n = %(rows)s / 2", values)
        (id,) = cursor.fetchone()
    return {
        "an id": id,
        "a workspace": workspace.slug,
        "a reference": "ref-307",
        "a request": "req_307",
        "an email address": "staff@example.com",
        "nothing": "no such thing",
    }
