"""PostgreSQL rejects changes to settled turns, whatever code makes them."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from apps.api_keys.models import ApiKey
from apps.conversations.models import Turn
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn

OTHER_ID = "c" + "0" * 24


@pytest.fixture
def turn(team: Team) -> Turn:
    """A turn with an API key that has cost 2 credits."""
    grant_credits(team.workspace, 10)
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=2))
    turn = make_running_turn(chatbot, credits=3, api_key_id=key.id, idempotency_key="k")
    complete_turn(turn, "Hi", input_tokens=5, output_tokens=6)
    turn.refresh_from_db()
    return turn


def run(statement: str, *parameters: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # TRUNCATE fails for another reason while deferred constraints are pending.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(statement, parameters or None)


@pytest.mark.parametrize(
    "change",
    [
        f"id = '{OTHER_ID}'",
        f"workspace_id = '{OTHER_ID}'",
        f"chatbot_id = '{OTHER_ID}'",
        f"conversation_id = '{OTHER_ID}'",
        f"message_id = '{OTHER_ID}'",
        f"api_key_id = '{OTHER_ID}'",
        "status = 'stopped'",
        "status = 'running', settled_at = NULL, credits_charged = 0",
        "model_name = 'another'",
        "credits_per_reply = 1",
        "credits_per_1k_input = 1",
        "credits_per_1k_output = 1",
        "credits_held = 4",
        "credits_charged = 0",
        "input_tokens = NULL",
        "output_tokens = 7",
        "finish_reason = 'length'",
        "error_code = 'MODEL_ERROR'",
        "settled_at = settled_at + interval '1 second'",
    ],
)
def test_settled_turn_cannot_be_changed(turn: Turn, change: str) -> None:
    before = Turn.objects.values().get(pk=turn.pk)
    with pytest.raises(DatabaseError, match="belongs to the books: UPDATE is refused"):
        run(f"UPDATE conversations_turn SET {change} WHERE id = %s", turn.id)
    assert Turn.objects.values().get(pk=turn.pk) == before


def test_settled_turn_cannot_be_deleted(turn: Turn) -> None:
    turn.messages.all().delete()
    with pytest.raises(DatabaseError, match="belongs to the books: DELETE is refused"):
        run("DELETE FROM conversations_turn WHERE id = %s", turn.id)
    assert Turn.objects.filter(pk=turn.pk).count() == 1


@pytest.mark.parametrize("table", ["conversations_turn", "conversations_conversation"])
def test_turns_cannot_be_truncated(turn: Turn, table: str) -> None:
    with pytest.raises(DatabaseError, match="belongs to the books: TRUNCATE is refused"):
        run(f"TRUNCATE {table} CASCADE")
    assert Turn.objects.filter(pk=turn.pk).count() == 1


def test_texts_and_keys_of_settled_turns_can_be_erased(turn: Turn) -> None:
    turn.messages.update(text="", metadata=None)
    Turn.objects.filter(pk=turn.pk).update(
        text_so_far="", delta_lengths=[], idempotency_key=None, request_digest=""
    )
    ApiKey.objects.filter(pk=turn.api_key_id).delete()
    turn.refresh_from_db()
    assert (turn.api_key_id, turn.idempotency_key) == (None, None)
    assert (turn.credits_charged, turn.credits_held, turn.output_tokens) == (2, 3, 6)
