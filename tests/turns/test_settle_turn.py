from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Message, Turn, TurnStatus
from apps.credits.models import LedgerEntry
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.turns.heartbeat import Progress, save_progress
from apps.turns.settle import settle_turn_blocking
from apps.turns.types import Receipt, Settlement
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    """Alice's chatbot, at 1 credit a reply and 2 per 1,000 output tokens; she has 10."""
    grant_credits(team.workspace, 10)
    return make_chatbot(
        team.workspace, make_language_model(credits_per_reply=1, credits_per_1k_output=2)
    )


def answers(turn: Turn) -> list[tuple[str, str]]:
    found = Message.objects.filter(turn=turn, role="assistant")
    return list(found.values_list("id", "text"))


def charges(turn: Turn) -> list[int]:
    return list(LedgerEntry.objects.filter(turn_id=turn.id).values_list("amount", flat=True))


def snapshot(turn: Turn) -> tuple[Any, ...]:
    row = Turn.objects.filter(pk=turn.pk).values().get()
    return row, answers(turn), charges(turn), balance_for(turn.workspace_id)


def test_completed_turn_is_charged_from_its_usage(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=6)
    first_token = timezone.now()
    receipt = complete_turn(
        turn, "Hello!", input_tokens=50, output_tokens=1001, first_token_at=first_token
    )
    assert receipt == Receipt(charged=4, balance=6)
    turn.refresh_from_db()
    assert (turn.status, turn.credits_charged, turn.finish_reason) == ("completed", 4, "stop")
    assert (turn.input_tokens, turn.output_tokens) == (50, 1001)
    assert (turn.first_token_at, turn.text_so_far) == (first_token, "")
    assert turn.settled_at is not None
    assert answers(turn) == [(turn.message_id, "Hello!")]
    assert charges(turn) == [-4]
    assert balance_for(chatbot.workspace_id) == Balance(6, 0)


def test_stopped_turn_is_charged_for_its_text(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=6)
    receipt = complete_turn(turn, "Hel", status=TurnStatus.STOPPED, output_tokens=1)
    assert receipt == Receipt(charged=2, balance=8)
    assert answers(turn) == [(turn.message_id, "Hel")]


def test_turn_is_never_charged_more_than_it_held(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    assert complete_turn(turn, output_tokens=1_000_000) == Receipt(charged=3, balance=7)
    turn.refresh_from_db()
    assert turn.credits_charged == 3
    assert ledger_sum(chatbot.workspace_id) == 7


def test_free_turn_writes_no_ledger_entry(team: Team) -> None:
    grant_credits(team.workspace, 5)
    turn = make_running_turn(make_chatbot(team.workspace))
    assert complete_turn(turn) == Receipt(charged=0, balance=5)
    assert charges(turn) == []


def test_failed_turn_is_never_charged(chatbot: Chatbot) -> None:
    turn, status = make_running_turn(chatbot, credits=6), TurnStatus.FAILED
    settlement = Settlement(
        status=status, text="Half an", input_tokens=5, output_tokens=5000, error_code="MODEL_ERROR"
    )
    assert settle_turn_blocking(turn=turn, settlement=settlement) == Receipt(charged=0, balance=10)
    turn.refresh_from_db()
    assert (turn.status, turn.credits_charged, turn.error_code) == (status, 0, "MODEL_ERROR")
    assert answers(turn) == [(turn.message_id, "Half an")]
    assert charges(turn) == []
    assert balance_for(chatbot.workspace_id) == Balance(10, 0)


def test_turn_that_failed_before_text_has_no_answer(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=6)
    fail_turn(turn)
    assert answers(turn) == []


@pytest.mark.parametrize("first", [complete_turn, fail_turn])
@pytest.mark.parametrize("second", [complete_turn, fail_turn])
def test_turn_is_settled_once(chatbot: Chatbot, first: Any, second: Any) -> None:
    turn = make_running_turn(chatbot, credits=6)
    first(turn)
    before = snapshot(turn)
    with pytest.raises(TurnNotRunning):
        second(turn, "Another text")
    assert snapshot(turn) == before


def test_settled_turn_frees_its_conversation(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    fail_turn(turn)
    assert make_running_turn(chatbot, conversation_id=turn.conversation_id).status == "running"


def test_settling_a_turn_keeps_other_holds(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    make_running_turn(chatbot, credits=4)
    fail_turn(turn)
    assert balance_for(chatbot.workspace_id) == Balance(10, 4)


def test_progress_saves_text_and_heartbeat(chatbot: Chatbot) -> None:
    turn, other = make_running_turn(chatbot), make_running_turn(chatbot)
    old = timezone.now() - timedelta(hours=1)
    Turn.objects.filter(workspace=chatbot.workspace_id).update(heartbeat_at=old)
    assert save_progress({turn.id: Progress(["So", " far"])}) == {turn.id}
    turn.refresh_from_db()
    other.refresh_from_db()
    assert (turn.text_so_far, turn.heartbeat_at > old) == ("So far", True)
    assert turn.delta_lengths == [2, 4]
    assert (other.text_so_far, other.heartbeat_at) == ("", old)


def test_progress_of_a_settled_turn_is_ignored(chatbot: Chatbot) -> None:
    running, settled = make_running_turn(chatbot), make_running_turn(chatbot)
    complete_turn(settled)
    before = snapshot(settled)
    assert save_progress(dict.fromkeys((running.id, settled.id, "nothing"), Progress(["a"]))) == {
        running.id
    }
    assert snapshot(settled) == before


def test_progress_of_no_turns_is_empty(db: None) -> None:
    assert save_progress({}) == set()


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("conversations_turn_status_known", {"status": "asleep", "settled_at": timezone.now()}),
        ("conversations_turn_settled_once_not_running", {"status": "completed"}),
        ("conversations_turn_settled_once_not_running", {"settled_at": timezone.now()}),
        (
            "conversations_turn_charge_within_hold",
            {"status": "completed", "settled_at": timezone.now(), "credits_charged": 7},
        ),
        ("conversations_turn_charged_only_for_an_answer", {"credits_charged": 1}),
        (
            "conversations_turn_charged_only_for_an_answer",
            {"status": "failed", "settled_at": timezone.now(), "credits_charged": 1},
        ),
    ],
)
def test_database_rejects_inconsistent_turns(
    chatbot: Chatbot, constraint: str, fields: dict[str, Any]
) -> None:
    turn = make_running_turn(chatbot, credits=6)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Turn.objects.filter(pk=turn.pk).update(**fields)
