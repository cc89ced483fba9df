"""Insert many conversations of the past, for benchmarks.

PostgreSQL generates the rows, 100,000 conversations at a time, with ids in our format and order and
a consistent ledger: every turn is completed, charged 1 credit and has its ledger entry.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.services import bulk_create_chatbots
from apps.conversations.search import reindex_after
from apps.core.ids import to_base36
from apps.credits.backfill import backfill_charges, backfill_initial_grants
from apps.workspaces.models import Member, Role, Workspace

CONVERSATION_BATCH_SIZE = 100_000
ROW_BATCH_SIZE = 2_000
RATE_LIMIT = 10_000
EXTRA_CREDITS = 1_000_000
"""Credits that each workspace has left for the benchmark."""

ProgressCallback = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SeedWorkspace:
    """A workspace to fill. Its conversations are distributed over the chatbots."""

    workspace_id: str
    chatbots: Sequence[Chatbot]


@dataclass(frozen=True, slots=True)
class SeedSize:
    """Total conversations, distributed over workspaces and days, and turns per conversation."""

    conversations: int
    turns: int
    days: int


# The chatbot of conversation n. A table, because indexing an array of 100,000 is slow.
_CREATE_SLOTS = """
CREATE TEMPORARY TABLE seeding_slot (
  workspace bigint, bot bigint, workspace_id text, chatbot_id text, PRIMARY KEY (workspace, bot))
"""
_FILL_SLOTS = """
INSERT INTO seeding_slot
SELECT (n - 1) / %(bots)s, (n - 1) %% %(bots)s, workspace_id, chatbot_id
FROM unnest(%(workspaces)s::text[], %(chatbots)s::text[])
  WITH ORDINALITY AS slot (workspace_id, chatbot_id, n)
"""
_JOIN_SLOT = """
JOIN seeding_slot ON workspace = n %% %(workspaces)s AND bot = (n / %(workspaces)s) %% %(bots)s"""

# n is the conversation's number, from 0. The conversations of a workspace are `step` apart, and all
# turns of one are earlier than the next, so that ledger balances decrease in the order of time.
_INSERT_CONVERSATIONS = f"""
INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, created_at, last_message_at)
SELECT %(ids)s || 'c' || lpad(to_hex(n), 14, '0'),
       workspace_id, chatbot_id,
       %(start)s + (n / %(workspaces)s) * %(step)s,
       %(start)s + (n / %(workspaces)s) * %(step)s + (%(turns)s - 1) * %(pace)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_JOIN_SLOT}
"""  # noqa: S608 - a constant of ours
_INSERT_TURNS = f"""
INSERT INTO conversations_turn (id, workspace_id, chatbot_id, conversation_id, status, message_id,
  model_name, credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
  credits_charged, input_tokens, output_tokens, finish_reason, error_code, process, text_so_far,
  delta_lengths, request_digest, request_id, queue_ms, created_at, heartbeat_at, first_token_at,
  settled_at)
SELECT %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       workspace_id, chatbot_id,
       %(ids)s || 'c' || lpad(to_hex(n), 14, '0'), 'completed',
       %(ids)s || 'b' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       %(model)s, 1, 0, 0, 1, 1, 60 + n %% 400, 40, 'stop', '', '', '', '{{}}', '',
       'req_' || lpad(to_hex((1000 * extract(epoch FROM at))::bigint), 12, '0')
         || lpad(to_hex(n * %(turns)s + k), 12, '0'), 4, at, at,
       at + %(pace)s / 4, at + %(pace)s / 2
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_JOIN_SLOT},
     generate_series(0, %(turns)s - 1) AS k,
     LATERAL (SELECT %(start)s + (n / %(workspaces)s) * %(step)s + k * %(pace)s) AS moment (at)
"""  # noqa: S608 - a constant of ours
_INSERT_MESSAGES = f"""
INSERT INTO conversations_message (id, workspace_id, conversation_id, turn_id, role, text, metadata,
                                   created_at)
SELECT %(ids)s || kind || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       workspace_id,
       %(ids)s || 'c' || lpad(to_hex(n), 14, '0'),
       %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'), role,
       CASE kind
         WHEN 'a' THEN 'Where is my ' || (%(items)s::text[])[1 + n %% 8] || ', order ' || n || '?'
         ELSE 'Order ' || n || ' left our house ' || 1 + n %% 9 || ' days ago. The ' ||
           (%(items)s::text[])[1 + n %% 8] || ' comes by post, and needs no signature. Ask again '
           'tomorrow if it is not there, and we send another one at once.'
       END,
       CASE kind WHEN 'a' THEN jsonb_build_object('userId', 'visitor-' || n %% 10007) END,
       %(start)s + (n / %(workspaces)s) * %(step)s + k * %(pace)s
         + CASE kind WHEN 'a' THEN interval '0' ELSE %(pace)s / 2 END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_JOIN_SLOT},
     generate_series(0, %(turns)s - 1) AS k,
     (VALUES ('a', 'user'), ('b', 'assistant')) AS message (kind, role)
"""  # noqa: S608 - a constant of ours
_CHARGES = f"""
SELECT %(ids)s || 'e' || lpad(to_hex(n * %(turns)s + k), 14, '0') AS id,
       workspace_id,
       %(granted)s - ((n / %(workspaces)s) * %(turns)s + k + 1) AS balance_after,
       %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0') AS turn_id,
       %(start)s + (n / %(workspaces)s) * %(step)s + k * %(pace)s + %(pace)s / 2 AS created_at
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_JOIN_SLOT},
     generate_series(0, %(turns)s - 1) AS k
ORDER BY n, k
"""  # noqa: S608 - a constant of ours
_ITEMS = ["parcel", "lamp", "chair", "letter", "refund", "invoice", "bicycle", "kettle"]


@transaction.atomic
def create_workspaces(
    *, slug: str, owner: User, language_model: LanguageModel, workspaces: int, chatbots: int
) -> list[SeedWorkspace]:
    """Create workspaces named `slug` and a number, each with the given number of chatbots."""
    created = Workspace.objects.bulk_create(
        [Workspace(slug=f"{slug}-{n}", name=f"{slug}-{n}") for n in range(workspaces)],
        batch_size=ROW_BATCH_SIZE,
    )
    Member.objects.bulk_create(
        [Member(workspace=workspace, user=owner, role=Role.OWNER) for workspace in created],
        batch_size=ROW_BATCH_SIZE,
    )
    bots = bulk_create_chatbots(
        chatbots=[
            Chatbot(
                workspace=workspace,
                name=f"Chatbot {n + 1}",
                language_model=language_model,
                rate_limit_requests=RATE_LIMIT,
                rate_limit_window_seconds=1,
            )
            for workspace in created
            for n in range(chatbots)
        ]
    )
    return [
        SeedWorkspace(workspace.id, bots[n * chatbots : (n + 1) * chatbots])
        for n, workspace in enumerate(created)
    ]


def seed_conversations(
    *,
    workspaces: Sequence[SeedWorkspace],
    size: SeedSize,
    on_progress: ProgressCallback = lambda _: None,
) -> None:
    """Fill new workspaces, which all have the same number of chatbots, and vacuum the tables.

    `on_progress` is called after each batch with the number of conversations so far. For a
    superuser, foreign keys are not checked, which halves the time.
    """
    per_workspace = -(-size.conversations // len(workspaces))
    step = timedelta(days=size.days) / (per_workspace + 1)
    granted = per_workspace * size.turns + EXTRA_CREDITS
    start = timezone.now() - timedelta(days=size.days)
    backfill_initial_grants(
        workspace_ids=[workspace.workspace_id for workspace in workspaces],
        credits=granted,
        created_at=start,
        reason="For what is measured",
    )
    values: dict[str, Any] = {
        "ids": "c" + to_base36(time.time_ns() // 1_000_000, 9),
        "workspaces": len(workspaces),
        "bots": len(workspaces[0].chatbots),
        "model": workspaces[0].chatbots[0].language_model.name,
        "turns": size.turns,
        "granted": granted,
        "start": start,
        "step": step,
        "pace": step / size.turns,
        "items": _ITEMS,
    }
    _fill_slots(workspaces)
    for first in range(0, size.conversations, CONVERSATION_BATCH_SIZE):
        last = min(first + CONVERSATION_BATCH_SIZE, size.conversations) - 1
        _insert_batch(values | {"first": first, "last": last})
        on_progress(last + 1)
    reindex_after(message_id=values["ids"])
    with connection.cursor() as cursor:
        # Statistics and visibility are then as they would be the next day.
        for table in ("conversation", "turn", "message"):
            cursor.execute(f"VACUUM (ANALYZE) conversations_{table}")
        cursor.execute("VACUUM (ANALYZE) credits_ledgerentry, credits_account, chatbots_chatbot")
        cursor.execute("DROP TABLE seeding_slot")


def _fill_slots(workspaces: Sequence[SeedWorkspace]) -> None:
    chatbots = [chatbot for workspace in workspaces for chatbot in workspace.chatbots]
    with connection.cursor() as cursor:
        cursor.execute(_CREATE_SLOTS)
        cursor.execute(
            _FILL_SLOTS,
            {
                "workspaces": [chatbot.workspace_id for chatbot in chatbots],
                "chatbots": [chatbot.id for chatbot in chatbots],
                "bots": len(workspaces[0].chatbots),
            },
        )
        cursor.execute("ANALYZE seeding_slot")


@transaction.atomic
def _insert_batch(values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        is_superuser = cursor.fetchone() == (True,)
        if is_superuser:
            cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (_INSERT_CONVERSATIONS, _INSERT_TURNS, _INSERT_MESSAGES):
            cursor.execute(statement, values)
        if is_superuser:
            # The triggers of the ledger number and chain its entries, so they must run.
            cursor.execute("SET LOCAL session_replication_role = origin")
    backfill_charges(rows=_CHARGES, parameters=values)
