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

from apps.accounts.models import User
from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.services import bulk_create_chatbots
from apps.conversations.search import reindex_after
from apps.core.ids import to_base36
from apps.credits.backfill import backfill_initial_grants
from apps.workspaces.models import Member, Role, Workspace

CONVERSATION_BATCH_SIZE = 100_000
ROW_BATCH_SIZE = 2_000
RATE_LIMIT = 10_000
EXTRA_CREDITS = 1_000_000
"""What is left to each workspace for what is measured."""

ProgressCallback = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SeedWorkspace:
    """Where conversations go: a workspace and its chatbots, which take turns."""

    workspace_id: str
    chatbots: Sequence[Chatbot]


@dataclass(frozen=True, slots=True)
class SeedSize:
    """How much is made: conversations in all, spread evenly, and turns in each."""

    conversations: int
    turns: int
    days: int


# Where conversation n goes; a table, because looking into an array of 100,000 takes its length.
_PLACES = """
CREATE TEMPORARY TABLE seeding_place (
  place bigint, bot bigint, workspace_id text, chatbot_id text, PRIMARY KEY (place, bot))
"""
_FILL_PLACES = """
INSERT INTO seeding_place
SELECT (n - 1) / %(bots)s, (n - 1) %% %(bots)s, workspace_id, chatbot_id
FROM unnest(%(workspaces)s::text[], %(chatbots)s::text[])
  WITH ORDINALITY AS given (workspace_id, chatbot_id, n)
"""
_AT = "JOIN seeding_place ON place = n %% %(places)s AND bot = (n / %(places)s) %% %(bots)s"

# n: a conversation's number, from 0. Those of one workspace are `step` apart, and all turns of one
# come before the next one, so that the ledger's balances fall in the order of time.
_CONVERSATIONS = f"""
INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, created_at, last_message_at)
SELECT %(ids)s || 'c' || lpad(to_hex(n), 14, '0'),
       workspace_id, chatbot_id,
       %(start)s + (n / %(places)s) * %(step)s,
       %(start)s + (n / %(places)s) * %(step)s + (%(turns)s - 1) * %(pace)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_AT}
"""  # noqa: S608 - a constant of ours
_TURNS = f"""
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
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_AT},
     generate_series(0, %(turns)s - 1) AS k,
     LATERAL (SELECT %(start)s + (n / %(places)s) * %(step)s + k * %(pace)s) AS moment (at)
"""  # noqa: S608 - a constant of ours
_MESSAGES = f"""
INSERT INTO conversations_message (id, workspace_id, conversation_id, turn_id, role, text, metadata,
                                   created_at)
SELECT %(ids)s || kind || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       workspace_id,
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
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_AT},
     generate_series(0, %(turns)s - 1) AS k,
     (VALUES ('a', 'user'), ('b', 'assistant')) AS said (kind, role)
"""  # noqa: S608 - a constant of ours
_CHARGES = f"""
INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after, turn_id, reason,
                                 created_at)
SELECT %(ids)s || 'e' || lpad(to_hex(n * %(turns)s + k), 14, '0'),
       workspace_id, 'charge', -1,
       %(granted)s - ((n / %(places)s) * %(turns)s + k + 1),
       %(ids)s || 't' || lpad(to_hex(n * %(turns)s + k), 14, '0'), '',
       %(start)s + (n / %(places)s) * %(step)s + k * %(pace)s + %(pace)s / 2
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_AT},
     generate_series(0, %(turns)s - 1) AS k
ORDER BY n, k
"""  # noqa: S608 - a constant of ours
_PAID = f"""
UPDATE credits_account AS account SET balance = balance - paid.credits
FROM (
  SELECT workspace_id, count(*) * %(turns)s AS credits
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n {_AT} GROUP BY 1
) AS paid
WHERE account.workspace_id = paid.workspace_id
"""  # noqa: S608 - a constant of ours
_THINGS = ["parcel", "lamp", "chair", "letter", "refund", "invoice", "bicycle", "kettle"]


@transaction.atomic
def create_workspaces(
    *, slug: str, owner: User, language_model: LanguageModel, workspaces: int, chatbots: int
) -> list[SeedWorkspace]:
    """New workspaces, called by the slug and a number, each with so many chatbots."""
    made = Workspace.objects.bulk_create(
        [Workspace(slug=f"{slug}-{n}", name=f"{slug}-{n}") for n in range(workspaces)],
        batch_size=ROW_BATCH_SIZE,
    )
    Member.objects.bulk_create(
        [Member(workspace=workspace, user=owner, role=Role.OWNER) for workspace in made],
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
            for workspace in made
            for n in range(chatbots)
        ]
    )
    return [
        SeedWorkspace(workspace.id, bots[n * chatbots : (n + 1) * chatbots])
        for n, workspace in enumerate(made)
    ]


def seed_conversations(
    *,
    workspaces: Sequence[SeedWorkspace],
    size: SeedSize,
    on_progress: ProgressCallback = lambda _: None,
) -> None:
    """Fill new workspaces, each with as many chatbots as the others, and count the rows anew.

    `on_progress` hears after each step how many conversations there are. A superuser's rows are not
    checked one by one for what they point at, which halves the time.
    """
    each = -(-size.conversations // len(workspaces))
    step = timedelta(days=size.days) / (each + 1)
    granted = each * size.turns + EXTRA_CREDITS
    start = timezone.now() - timedelta(days=size.days)
    backfill_initial_grants(
        workspace_ids=[place.workspace_id for place in workspaces],
        credits=granted,
        created_at=start,
        reason="For what is measured",
    )
    values: dict[str, Any] = {
        "ids": "c" + to_base36(time.time_ns() // 1_000_000, 9),
        "places": len(workspaces),
        "bots": len(workspaces[0].chatbots),
        "model": workspaces[0].chatbots[0].language_model.name,
        "turns": size.turns,
        "granted": granted,
        "start": start,
        "step": step,
        "pace": step / size.turns,
        "things": _THINGS,
    }
    _fill_places(workspaces)
    for first in range(0, size.conversations, CONVERSATION_BATCH_SIZE):
        last = min(first + CONVERSATION_BATCH_SIZE, size.conversations) - 1
        _write(values | {"first": first, "last": last})
        on_progress(last + 1)
    reindex_after(message_id=values["ids"])
    with connection.cursor() as cursor:
        # What was made is counted and marked as seen by all, as it would be by tomorrow.
        for table in ("conversation", "turn", "message"):
            cursor.execute(f"VACUUM (ANALYZE) conversations_{table}")
        cursor.execute("VACUUM (ANALYZE) credits_ledgerentry, credits_account, chatbots_chatbot")
        cursor.execute("DROP TABLE seeding_place")


def _fill_places(places: Sequence[SeedWorkspace]) -> None:
    chatbots = [chatbot for place in places for chatbot in place.chatbots]
    with connection.cursor() as cursor:
        cursor.execute(_PLACES)
        cursor.execute(
            _FILL_PLACES,
            {
                "workspaces": [chatbot.workspace_id for chatbot in chatbots],
                "chatbots": [chatbot.id for chatbot in chatbots],
                "bots": len(places[0].chatbots),
            },
        )
        cursor.execute("ANALYZE seeding_place")


@transaction.atomic
def _write(values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        may_skip_checks = cursor.fetchone() == (True,)
        if may_skip_checks:
            cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (_CONVERSATIONS, _TURNS, _MESSAGES):
            cursor.execute(statement, values)
        if may_skip_checks:
            # The ledger's own triggers count and chain its entries: they are not passed over.
            cursor.execute("SET LOCAL session_replication_role = origin")
        for statement in (_CHARGES, _PAID):
            cursor.execute(statement, values)
