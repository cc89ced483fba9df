"""A past made of rows, for databases that are to be measured: as many conversations as wanted.

PostgreSQL makes the rows itself, some 100,000 conversations at a time, with ids of our form and in
our order, and books that agree: every turn is completed, charged 1 credit and has its ledger entry.
Whatever happens now goes through `services`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.core.ids import base36
from apps.credits.history import PastEntry, write_history
from apps.credits.models import EntryKind

AT_ONCE = 100_000
SPARE_CREDITS = 1_000_000
"""What is left to each workspace for what is measured."""

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where conversations go: a workspace and its chatbots, which take turns."""

    workspace_id: str
    chatbots: Sequence[Chatbot]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made: conversations in all, spread evenly, and turns in each."""

    conversations: int
    turns: int
    days: int


# n: a conversation's number, from 0. Those of one workspace are `step` apart, and all turns of one
# come before the next one, so that the ledger's balances fall in the order of time.
_CONVERSATIONS = """
INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, created_at, last_message_at)
SELECT %(ids)s || 'c' || lpad(to_hex(n), 14, '0'),
       (%(workspaces)s::text[])[1 + n %% %(places)s],
       (%(chatbots)s::text[])[1 + (n %% %(places)s) * %(bots)s + (n / %(places)s) %% %(bots)s],
       %(start)s + (n / %(places)s) * %(step)s,
       %(start)s + (n / %(places)s) * %(step)s + (%(turns)s - 1) * %(pace)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""
_TURNS = """
INSERT INTO conversations_turn (id, workspace_id, chatbot_id, conversation_id, status, message_id,
  model_name, credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
  credits_charged, input_tokens, output_tokens, finish_reason, error_code, process, text_so_far,
  delta_lengths, request_digest, request_id, queue_ms, created_at, heartbeat_at, first_token_at,
  settled_at)
SELECT %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       (%(workspaces)s::text[])[1 + n %% %(places)s],
       (%(chatbots)s::text[])[1 + (n %% %(places)s) * %(bots)s + (n / %(places)s) %% %(bots)s],
       %(ids)s || 'c' || lpad(to_hex(n), 14, '0'), 'completed',
       %(ids)s || 'b' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       %(model)s, 1, 0, 0, 1, 1, 60 + n %% 400, 40, 'stop', '', '', '', '{}', '',
       'req_' || lpad(to_hex(n * %(turns)s + k), 24, '0'), 4, at, at,
       at + %(pace)s / 4, at + %(pace)s / 2
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
     generate_series(0, %(turns)s - 1) AS k,
     LATERAL (SELECT %(start)s + (n / %(places)s) * %(step)s + k * %(pace)s) AS moment (at)
"""
_MESSAGES = """
INSERT INTO conversations_message (id, workspace_id, conversation_id, turn_id, role, text, metadata,
                                   created_at)
SELECT %(ids)s || kind || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       (%(workspaces)s::text[])[1 + n %% %(places)s],
       %(ids)s || 'c' || lpad(to_hex(n), 14, '0'),
       %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'), role,
       CASE kind
         WHEN 'a' THEN 'Where is my ' || (%(things)s::text[])[1 + n %% 8] || ', order ' || n || '?'
         ELSE 'Order ' || n || ' left our house ' || 1 + n %% 9 || ' days ago. The ' ||
           (%(things)s::text[])[1 + n %% 8] || ' comes by post, and needs no signature. Ask again '
           'tomorrow if it is not there, and we send another one at once.'
       END,
       CASE kind WHEN 'a' THEN jsonb_build_object('userId', 'visitor-' || n %% 10007) END,
       %(start)s + (n / %(places)s) * %(step)s + k * %(pace)s
         + CASE kind WHEN 'a' THEN interval '0' ELSE %(pace)s / 2 END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
     generate_series(0, %(turns)s - 1) AS k,
     (VALUES ('a', 'user'), ('b', 'assistant')) AS said (kind, role)
"""
_CHARGES = """
INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after, turn_id, reason,
                                 created_at)
SELECT %(ids)s || 'e' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       (%(workspaces)s::text[])[1 + n %% %(places)s], 'charge', -1,
       %(granted)s - ((n / %(places)s) * %(turns)s + k + 1),
       %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'), '',
       %(start)s + (n / %(places)s) * %(step)s + k * %(pace)s + %(pace)s / 2
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
     generate_series(0, %(turns)s - 1) AS k
"""
_PAID = """
UPDATE credits_account AS account SET balance = balance - paid.credits
FROM (
  SELECT (%(workspaces)s::text[])[1 + n %% %(places)s] AS workspace_id,
         count(*) * %(turns)s AS credits
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n GROUP BY 1
) AS paid
WHERE account.workspace_id = paid.workspace_id
"""
_THINGS = ["parcel", "lamp", "chair", "letter", "refund", "invoice", "bicycle", "kettle"]


def seed_past(*, places: Sequence[Place], size: Size, told: Told = lambda _: None) -> None:
    """Fill new workspaces, each with as many chatbots as the others, and count the rows anew.

    `told` hears after each step how many conversations there are. A superuser's rows are not
    checked one by one for what they point at, which halves the time.
    """
    each = -(-size.conversations // len(places))
    step = timedelta(days=size.days) / (each + 1)
    granted = each * size.turns + SPARE_CREDITS
    start = timezone.now() - timedelta(days=size.days)
    for place in places:
        entry = PastEntry(start, EntryKind.GRANT, granted, "For what is measured")
        write_history(workspace_id=place.workspace_id, entries=[entry])
    values: dict[str, Any] = {
        "ids": "c" + base36(time.time_ns() // 1_000_000, 9),
        "workspaces": [place.workspace_id for place in places],
        "chatbots": [chatbot.id for place in places for chatbot in place.chatbots],
        "places": len(places),
        "bots": len(places[0].chatbots),
        "model": places[0].chatbots[0].language_model.name,
        "turns": size.turns,
        "granted": granted,
        "start": start,
        "step": step,
        "pace": step / size.turns,
        "things": _THINGS,
    }
    for first in range(0, size.conversations, AT_ONCE):
        last = min(first + AT_ONCE, size.conversations) - 1
        _write(values | {"first": first, "last": last})
        told(last + 1)
    with connection.cursor() as cursor:
        # What was made is counted and marked as seen by all, as it would be by tomorrow.
        for table in ("conversation", "turn", "message"):
            cursor.execute(f"VACUUM (ANALYZE) conversations_{table}")
        cursor.execute("VACUUM (ANALYZE) credits_ledgerentry")


@transaction.atomic
def _write(values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (_CONVERSATIONS, _TURNS, _MESSAGES, _CHARGES, _PAID):
            cursor.execute(statement, values)
