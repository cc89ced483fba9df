"""Each statement of a turn finds its rows by an index.

PostgreSQL plans the statements on tables that are large enough for it to choose an index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from psycopg.sql import SQL, Literal

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.chat.engine.access import authenticate
from apps.chat.engine.replay import replay
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn, TurnStatus
from apps.conversations.queries import get_conversation, get_turn
from apps.core.ids import new_id
from apps.infrastructure.postgres.pool import connection_parameters
from apps.infrastructure.postgres.threads import in_thread
from apps.turns import sql as statements
from apps.turns.citations import SAVE_PASSAGES, build_row
from apps.turns.heartbeat import Progress, save_progress
from apps.turns.history import LOAD_HISTORY
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from tests.turns.passages import FOUND
from tests.turns.turn_factory import complete_turn, expire_heartbeat, make_running_turn, new_turn

FEW_PAGES = 16
"""Up to this many pages a table may be scanned: an index lookup costs about as much as eight."""


@pytest.fixture(scope="module")
def seeded_chatbot(committed: None) -> Chatbot:
    """A chatbot of one of 40 workspaces, in a database with 6,000 conversations."""
    output = StringIO()
    size = {"--workspaces": 40, "--chatbots": 25, "--conversations": 6000, "--turns": 2}
    arguments = [part for name, value in size.items() for part in (name, str(value))]
    call_command("seed_load", *arguments, "--json", stdout=output)
    chatbot = Chatbot.objects.select_related("workspace", "language_model").get(
        id=json.loads(output.getvalue())["chatbot_id"]
    )
    ApiKey.objects.bulk_create(
        ApiKey(
            workspace=chatbot.workspace,
            name=f"{n}",
            scopes=["chat"],
            digest=f"{n:064}",
            revoked_at=timezone.now(),
        )
        for n in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return chatbot


def sequential_scans(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan scans sequentially."""
    nested = [name for one in plan.get("Plans", []) for name in sequential_scans(one)]
    return [*nested, plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else nested


@pytest.fixture
def large_tables(seeded_chatbot: Chatbot) -> set[str]:
    """The tables of more than FEW_PAGES pages."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages > %s", [FEW_PAGES]
        )
        return {name for (name,) in cursor.fetchall()}


class PlanRecorder:
    """Explains each statement of the ORM before it is executed, and records sequential scans."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.scans: list[tuple[str, str]] = []

    def clear(self) -> None:
        self.statements.clear()
        self.scans.clear()

    def __call__(
        self, run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            self.statements.append(sql)
            explain = f"EXPLAIN (FORMAT JSON) {sql}"
            cursor = context["connection"].connection.execute(explain, params or None)
            (explained,) = cursor.fetchone()
            self.scans += [(name, sql) for name in sequential_scans(explained[0]["Plan"])]
        return run(sql, params, many, context)


@pytest.fixture
def plans() -> Iterator[PlanRecorder]:
    with connection.execute_wrapper(recorder := PlanRecorder()):
        yield recorder


def plan_of(statement: str, parameter: str, before: str) -> dict[str, Any]:
    """The generic plan of a statement of the hot path, after `before`, which is rolled back."""
    prepared = statement.replace("%s", "$1").replace("%%", "%")
    execute = SQL("EXPLAIN (FORMAT JSON) EXECUTE hot_path ({})").format(Literal(parameter))
    with psycopg.connect(**{**connection_parameters(), "autocommit": False}) as session:
        session.execute(before.encode())
        session.execute(f"PREPARE hot_path AS {prepared}".encode())
        ((explained,),) = session.execute(execute)
        session.rollback()
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


def test_sequential_scan_is_detected(
    seeded_chatbot: Chatbot, large_tables: set[str], plans: PlanRecorder
) -> None:
    assert list(Message.objects.filter(text="said by nobody")) == []
    assert [name for name, _ in plans.scans] == ["conversations_message"]
    talk = {"conversations_message", "conversations_turn", "conversations_conversation"}
    assert (
        talk | {"chatbots_chatbot", "api_keys_apikey", "credits_ledgerentry"}
    ) - large_tables == set()


def test_authentication_uses_indexes(
    seeded_chatbot: Chatbot, large_tables: set[str], plans: PlanRecorder
) -> None:
    _, secret = issue_key(workspace=seeded_chatbot.workspace, name="n")
    conversation = Conversation.objects.filter(chatbot=seeded_chatbot).latest("last_message_at")
    plans.clear()
    access = authenticate(f"Bearer {secret}", seeded_chatbot.id)
    get_conversation(access.workspace_id, conversation.id, chatbot_id=access.chatbot.id)
    assert len(plans.statements) == 4
    assert [(name, sql) for name, sql in plans.scans if name in large_tables] == []


def test_orm_queries_of_a_turn_use_indexes(
    seeded_chatbot: Chatbot, large_tables: set[str], plans: PlanRecorder
) -> None:
    turn = make_running_turn(seeded_chatbot, credits=1, idempotency_key=f"key-{new_id()}")
    assert save_progress({turn.id: Progress(["so ", "far"])}) == {turn.id}
    read = get_turn(seeded_chatbot.workspace_id, turn.id, chatbot_id=seeded_chatbot.id)
    assert complete_turn(read, "Hi").charged == 1
    replay(get_turn(seeded_chatbot.workspace_id, turn.id, chatbot_id=seeded_chatbot.id))
    of_one_turn = len(plans.statements)
    dead = make_running_turn(seeded_chatbot, credits=1)
    expire_heartbeat(dead)
    assert dead.id in sweep_turns()
    # The sweep may find turns of other tests, too.
    assert (of_one_turn, len(plans.statements) >= 14) == (8, True)
    assert [(name, sql) for name, sql in plans.scans if name in large_tables] == []


BY_INDEX = {"Index Scan", "Index Only Scan"}
NEVER_ANALYZED = """
SELECT pg_restore_relation_stats(
  'schemaname', schemaname::text, 'relname', relname::text, 'relpages', 0, 'reltuples', '-1'::real)
FROM pg_stat_user_tables WHERE relname ~ '^(conversations|credits)_'
"""


def full_scans(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads completely, directly or through an index."""
    nested = [name for one in plan.get("Plans", []) for name in full_scans(one)]
    kind = plan["Node Type"]
    if kind == "Seq Scan" or (kind in BY_INDEX and "Index Cond" not in plan):
        nested.append(plan["Relation Name"])
    elif kind == "Bitmap Heap Scan":
        nested += [plan["Relation Name"] for one in plan["Plans"] if "Index Cond" not in one]
    return nested


@pytest.mark.parametrize("before", ["SELECT 1", NEVER_ANALYZED], ids=["analyzed", "never analyzed"])
async def test_batched_statements_use_indexes(
    seeded_chatbot: Chatbot, large_tables: set[str], connection_pool: None, before: str
) -> None:
    running, _ = await open_turn(new_turn(seeded_chatbot, credits=1))
    open_input = {
        **{name: new_id() for name in ("id", "conversation_id", "message_id", "user_message_id")},
        **{name: getattr(running, name) for name in ("workspace_id", "chatbot_id", "model_name")},
        **dict.fromkeys(("credits_per_1k_input", "credits_per_1k_output", "queue_ms"), 0),
        "n": 0,
        "begins": True,
        "text": "Hello",
        "credits_per_reply": 1,
        "credits_held": 1,
        "request_digest": "",
        "request_id": "req_1",
        "process": "",
        "event_id": new_id(),
        "idempotency_key": new_id(),
        "event_type": "turn.completed",
        "event_data": {},
    }
    settle_input = {
        "n": 0,
        "workspace_id": running.workspace_id,
        "id": running.id,
        "price": 1,
        "conversation_id": running.conversation_id,
        "message_id": running.message_id,
        "entry_id": new_id(),
        "status": "completed",
        "text": "Hi",
        "delta_lengths": [2],
        "finish_reason": "stop",
        "error_code": "",
        "input_tokens": 1,
        "output_tokens": 1,
        "event_id": new_id(),
        "event_type": "turn.completed",
        "event_data": {},
    }
    history_input = {
        "n": 0,
        **{name: getattr(running, name) for name in ("workspace_id", "chatbot_id")},
        "conversation_id": running.conversation_id,
        "most": 20,
    }
    inputs = (
        (LOAD_HISTORY, json.dumps([history_input])),
        statements.lock_accounts([open_input]),
        (statements.OPEN, json.dumps([open_input])),
        (SAVE_PASSAGES, statements.encode_rows([build_row(running, FOUND)])),
        (statements.SETTLE, json.dumps([settle_input])),
    )
    for statement, parameter in inputs:
        plan = await in_thread(plan_of, statement, parameter, before)
        assert set(full_scans(plan)) & large_tables == set()
    ended = Settlement(status=TurnStatus.COMPLETED, text="Hi", finish_reason="stop")
    assert (await settle_turn(turn=running, settlement=ended)).charged == 1
    assert (await in_thread(Turn.objects.get, id=running.id)).status == "completed"
