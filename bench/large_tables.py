"""Tables that grow with use, filled by PostgreSQL itself: for what must not read them whole."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection

from apps.api_keys.services import issue_key
from apps.credits.services import open_account
from tests.factories import Team, make_chatbot, make_webhook_endpoint

ROWS = 20_000

# An id of our form, made at that moment.
_CREATE_ID_FUNCTION = """
CREATE FUNCTION pg_temp.made(at timestamptz, n bigint, kind text) RETURNS text LANGUAGE sql AS $$
  SELECT 'c' || string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz',
           1 + (div(ms, (36::numeric ^ k)::bigint) % 36)::int, 1), '' ORDER BY k DESC)
         || kind || lpad(n::text, 14, '0')
  FROM (SELECT floor(extract(epoch FROM at) * 1000)::numeric) AS moment (ms),
       generate_series(0, 8) AS k
  GROUP BY ms
$$
"""
_CREATE_TIMES = """
CREATE TEMPORARY TABLE moments ON COMMIT DROP AS
SELECT n, at, pg_temp.made(at, n, 'a') AS id, n %% 300 = 7 AS is_rare
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - (%(rows)s - n) * interval '90 days' / %(rows)s) AS moment (at)
"""
_INSERTS = {
    "conversations_conversation": """
        (id, workspace_id, chatbot_id, created_at, last_message_at)
        SELECT id, %(workspace)s, %(chatbot)s, at, at FROM moments""",
    "conversations_turn": """
        (id, workspace_id, chatbot_id, conversation_id, status, message_id, model_name,
         credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
         credits_charged, finish_reason, error_code, process, text_so_far, delta_lengths,
         request_digest, request_id, queue_ms, created_at, heartbeat_at, settled_at)
        SELECT id, %(workspace)s, %(chatbot)s, id, CASE WHEN is_rare THEN 'failed' ELSE 'completed'
         END, id, 'a model', 1, 0, 0, 1, 0, '', CASE WHEN is_rare THEN 'MODEL_ERROR' ELSE '' END,
         '', '', '{}', '', 'req_' || n, 0, at, at, at FROM moments""",
    "conversations_message": """
        (id, workspace_id, conversation_id, turn_id, role, text, created_at)
        SELECT id, %(workspace)s, id, id, CASE WHEN n %% 2 = 0 THEN 'user' ELSE 'assistant' END,
         'text', at FROM moments""",
    "credits_ledgerentry": """
        (id, workspace_id, kind, amount, balance_after, turn_id, reason, reference, category,
         created_at)
        SELECT id, %(workspace)s, CASE WHEN is_rare THEN 'grant' ELSE 'charge' END,
         CASE WHEN is_rare THEN 1 ELSE -1 END, 0, id, '',
         CASE WHEN is_rare THEN 'ref-' || n ELSE '' END,
         CASE WHEN is_rare THEN 'promotion' ELSE '' END, at FROM moments""",
    "audit_auditentry": """
        (id, workspace_id, actor_kind, actor_id, actor_label, action, target_id, target_label,
         details, request_id, created_at)
        SELECT id, %(workspace)s, CASE WHEN is_rare THEN 'staff' ELSE 'person' END, '',
         CASE WHEN is_rare THEN 'staff@example.com' ELSE n || '@example.com' END,
         CASE WHEN is_rare THEN 'key.revoked' ELSE 'lead.updated' END, id, '', '{}', 'req_' || n, at
        FROM moments""",
    "webhooks_event": """
        (id, workspace_id, type, data, created_at)
        SELECT id, %(workspace)s, 'message.completed', '{}', at FROM moments""",
    "webhooks_delivery": """
        (id, workspace_id, event_id, endpoint_id, status, next_attempt_at, error, created_at)
        SELECT id, %(workspace)s, id, %(endpoint)s,
         CASE WHEN is_rare THEN 'failed' ELSE 'delivered' END, NULL, '', at FROM moments""",
    "leads_lead": """
        (id, workspace_id, chatbot_id, name, email, phone, source, status, metadata, created_at)
        SELECT id, %(workspace)s, %(chatbot)s, 'Name ' || n, n || '@example.com', '', 'api',
         CASE WHEN is_rare THEN 'lost' ELSE 'new' END, '{}', at FROM moments""",
    "leads_capturedfield": """
        (id, workspace_id, lead_id, message_id, field, value, created_at)
        SELECT id, %(workspace)s, id, id, (ARRAY['name', 'email', 'phone'])[1 + n %% 3], 'x', at
        FROM moments""",
    "leads_reading": """
        (turn_id, workspace_id, created_at) SELECT id, %(workspace)s, at FROM moments""",
    "api_keys_idempotentanswer": """
        (workspace_id, api_key_id, idempotency_key, request_digest, status, sealed_body, created_at)
        SELECT %(workspace)s, %(api_key)s, 'key ' || n, '', 201, 'x', at FROM moments""",
}
LARGE_TABLES = frozenset(_INSERTS)
"""The tables that grow with use, rather than with the number of workspaces."""

REFERENCED_TABLES = (
    "workspaces_workspace",
    "chatbots_chatbot",
    "webhooks_endpoint",
    "api_keys_apikey",
    "credits_account",
)
"""What their rows are shown with. PostgreSQL must know of it too: if it takes one of these for
empty, it expects no row of a join, and reads all of it for the first fifty."""


def fill_tables(
    team: Team, rows: int = ROWS, tables: Collection[str] = LARGE_TABLES
) -> dict[str, str]:
    """So many rows in each, from 90 days ago until now, one in 300 unlike the others; what they
    point at is not looked at. Returns terms by which some of them are found."""
    open_account(workspace_id=team.workspace.id)
    chatbot = make_chatbot(team.workspace)
    endpoint, _ = make_webhook_endpoint(team.workspace)
    values: dict[str, Any] = {
        "rows": rows,
        "workspace": team.workspace.id,
        "chatbot": chatbot.id,
        "endpoint": endpoint.id,
        "api_key": issue_key(workspace=team.workspace, name="n")[0].id,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_CREATE_ID_FUNCTION)
        cursor.execute(_CREATE_TIMES, values)
        for table, statement in _INSERTS.items():
            if table in tables:
                cursor.execute(f"INSERT INTO {table} {statement}", values)
        cursor.execute("SET LOCAL session_replication_role = origin")
        # What was just written waits beside the index; in life a vacuum has put it in its place.
        cursor.execute("SELECT gin_clean_pending_list('leads_search')")
        for table in (*tables, *REFERENCED_TABLES):
            cursor.execute(f"ANALYZE {table}")
        cursor.execute("SELECT id FROM moments WHERE n = %(rows)s / 2", values)
        (id,) = cursor.fetchone()
    return {
        "an id": id,
        "a workspace": team.workspace.slug,
        "a reference": "ref-307",
        "a request": "req_307",
        "an email address": "staff@example.com",
        "nothing": "no such thing",
    }
