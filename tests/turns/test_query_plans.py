"""The hot path among many: each of its statements finds its rows by an index, as PostgreSQL itself
plans it on tables that are big enough for it to choose."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from psycopg.sql import SQL, Literal

from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.chat.engine.access import authenticate
from apps.chat.engine.replay import replay_events
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn, TurnStatus
from apps.conversations.queries import get_conversation, get_turn
from apps.core.ids import new_id
from apps.infrastructure.postgres.pool import close_pool, connection_parameters
from apps.infrastructure.postgres.threads import in_thread
from apps.turns import sql as statements
from apps.turns.heartbeat import save_progress
from apps.turns.history import LOAD_HISTORY
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from tests.turns.turn_factory import complete_turn, expire_heartbeat, make_running_turn, new_turn

FEW_PAGES = 16
"""Pages of a table that may well be read whole: to look one row up costs about as much as eight."""


@pytest.fixture(scope="module")
def many(committed: None) -> Chatbot:
    """A chatbot of one workspace among others, in a database with a past."""
    told = StringIO()
    size = {"--workspaces": 40, "--chatbots": 25, "--conversations": 6000, "--turns": 2}
    given = [part for name, value in size.items() for part in (name, str(value))]
    call_command("seed_load", *given, "--json", stdout=told)
    chatbot = Chatbot.objects.select_related("workspace", "language_model").get(
        id=json.loads(told.getvalue())["chatbot_id"]
    )
    ApiKey.objects.bulk_create(
        ApiKey(workspace=chatbot.workspace, name=f"{n}", scopes=["chat"], digest=f"{n:064}")
        for n in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return chatbot


@pytest.fixture
async def pool() -> AsyncIterator[None]:
    yield
    await close_pool()


def sequential(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from one end to the other."""
    below = [name for one in plan.get("Plans", []) for name in sequential(one)]
    return [*below, plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else below


@pytest.fixture
def big(many: Chatbot) -> set[str]:
    """The tables for which an index pays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages > %s", [FEW_PAGES]
        )
        return {name for (name,) in cursor.fetchall()}


class Explained:
    """Asks PostgreSQL how it would run each statement of the ORM, then lets it run."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.scanned: list[tuple[str, str]] = []

    def forget(self) -> None:
        self.statements.clear()
        self.scanned.clear()

    def __call__(
        self, run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            self.statements.append(sql)
            explain = f"EXPLAIN (FORMAT JSON) {sql}"
            asked = context["connection"].connection.execute(explain, params or None)
            (told,) = asked.fetchone()
            self.scanned += [(name, sql) for name in sequential(told[0]["Plan"])]
        return run(sql, params, many, context)


@pytest.fixture
def explained() -> Iterator[Explained]:
    with connection.execute_wrapper(found := Explained()):
        yield found


def plan_of(statement: str, parameter: str, before: str) -> dict[str, Any]:
    """The plan of a statement of every turn, after another that is undone."""
    asked = statement.replace("%s", "$1").replace("%%", "%")
    execute = SQL("EXPLAIN (FORMAT JSON) EXECUTE asked ({})").format(Literal(parameter))
    with psycopg.connect(**{**connection_parameters(), "autocommit": False}) as asking:
        asking.execute(before.encode())
        asking.execute(f"PREPARE asked AS {asked}".encode())
        ((told,),) = asking.execute(execute)
        asking.rollback()
    plan: dict[str, Any] = told[0]["Plan"]
    return plan


def test_a_search_without_an_index_would_be_found(
    many: Chatbot, big: set[str], explained: Explained
) -> None:
    assert list(Message.objects.filter(text="said by nobody")) == []
    assert [name for name, _ in explained.scanned] == ["conversations_message"]
    talk = {"conversations_message", "conversations_turn", "conversations_conversation"}
    assert (talk | {"chatbots_chatbot", "api_keys_apikey", "credits_ledgerentry"}) - big == set()


def test_admission_is_look_ups(many: Chatbot, big: set[str], explained: Explained) -> None:
    _, secret = issue_key(workspace=many.workspace, name="asked")
    conversation = Conversation.objects.filter(chatbot=many).latest("last_message_at")
    explained.forget()
    access = authenticate(f"Bearer {secret}", many.id)
    get_conversation(access.workspace_id, conversation.id, chatbot_id=access.chatbot.id)
    assert len(explained.statements) == 4
    assert [(name, sql) for name, sql in explained.scanned if name in big] == []


def test_what_the_services_do_of_a_turn_are_look_ups(
    many: Chatbot, big: set[str], explained: Explained
) -> None:
    turn = make_running_turn(many, credits=1, idempotency_key=f"key-{new_id()}")
    assert save_progress({turn.id: ["so ", "far"]}) == {turn.id}
    read = get_turn(many.workspace_id, turn.id, chatbot_id=many.id)
    assert complete_turn(read, "Hi").charged == 1
    replay_events(get_turn(many.workspace_id, turn.id, chatbot_id=many.id))
    dead = make_running_turn(many, credits=1)
    expire_heartbeat(dead)
    assert dead.id in sweep_turns()
    assert len(explained.statements) > 20
    assert [(name, sql) for name, sql in explained.scanned if name in big] == []


BY_INDEX = {"Index Scan", "Index Only Scan"}
NEVER_ANALYZED = """
SELECT pg_restore_relation_stats(
  'schemaname', schemaname::text, 'relname', relname::text, 'relpages', 0, 'reltuples', '-1'::real)
FROM pg_stat_user_tables WHERE relname ~ '^(conversations|credits)_'
"""


def read_whole(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from one end to the other, itself or by an index."""
    below = [name for one in plan.get("Plans", []) for name in read_whole(one)]
    kind = plan["Node Type"]
    if kind == "Seq Scan" or (kind in BY_INDEX and "Index Cond" not in plan):
        below.append(plan["Relation Name"])
    elif kind == "Bitmap Heap Scan":
        below += [plan["Relation Name"] for one in plan["Plans"] if "Index Cond" not in one]
    return below


@pytest.mark.parametrize("before", ["SELECT 1", NEVER_ANALYZED], ids=["analyzed", "never analyzed"])
async def test_what_turns_do_together_is_look_ups(
    many: Chatbot, big: set[str], pool: None, before: str
) -> None:
    running, _ = await open_turn(new_turn(many, credits=1))
    opening = {
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
    settling = {
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
    recalling = {
        "n": 0,
        **{name: getattr(running, name) for name in ("workspace_id", "chatbot_id")},
        "conversation_id": running.conversation_id,
        "most": 20,
    }
    asked = ((LOAD_HISTORY, recalling), (statements.OPEN, opening), (statements.SETTLE, settling))
    for statement, row in asked:
        plan = await in_thread(plan_of, statement, json.dumps([row]), before)
        assert set(read_whole(plan)) & big == set()
    ended = Settlement(status=TurnStatus.COMPLETED, text="Hi", finish_reason="stop")
    assert (await settle_turn(turn=running, settlement=ended)).charged == 1
    assert (await in_thread(Turn.objects.get, id=running.id)).status == "completed"
