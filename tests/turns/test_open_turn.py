from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.conversations.errors import ConversationBusy
from apps.conversations.models import Conversation, Message, Turn
from apps.core.errors import IdempotencyMismatch
from apps.core.ids import is_id
from apps.credits.errors import InsufficientCredits
from apps.credits.prices import Price
from apps.credits.queries import Balance, balance_for
from apps.turns.open import resolve_refusal
from apps.turns.sql import SHORT
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn, new_turn, open_turn_blocking


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    """Alice's chatbot, with 10 credits to spend."""
    grant_credits(team.workspace, 10)
    return make_chatbot(team.workspace, make_language_model(credits_per_reply=3))


def row_counts(chatbot: Chatbot) -> tuple[int, int, int]:
    """Count the conversations, turns and messages of the workspace."""
    of_workspace = {"workspace": chatbot.workspace_id}
    return (
        Conversation.objects.filter(**of_workspace).count(),
        Turn.objects.filter(**of_workspace).count(),
        Message.objects.filter(**of_workspace).count(),
    )


def test_open_turn_saves_hold_and_user_message(chatbot: Chatbot) -> None:
    metadata = {"page": "/prices"}
    turn = make_running_turn(chatbot, text="What does it cost?", credits=3, metadata=metadata)
    turn.refresh_from_db()
    assert (turn.status, turn.credits_held, turn.credits_charged) == ("running", 3, 0)
    assert is_id(turn.message_id)
    message = Message.objects.get(turn=turn)
    assert (message.role, message.text, message.metadata) == (
        "user",
        "What does it cost?",
        metadata,
    )
    assert message.conversation_id == turn.conversation_id
    assert message.workspace_id == turn.workspace_id == chatbot.workspace_id
    assert balance_for(chatbot.workspace_id) == Balance(10, 3)


def test_turn_keeps_the_price_at_its_opening(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=3)
    type(chatbot.language_model).objects.filter(pk=chatbot.language_model_id).update(
        name="renamed", credits_per_reply=99
    )
    turn.refresh_from_db()
    assert (turn.model_name, turn.price) == (chatbot.language_model.name, Price(3, 0, 0))


def test_turn_keeps_its_api_key_and_request(team: Team, chatbot: Chatbot) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    turn = make_running_turn(chatbot, api_key_id=key.id, request_id="req_7", request_digest="d7")
    turn.refresh_from_db()
    assert (turn.api_key, turn.request_id, turn.request_digest) == (key, "req_7", "d7")


def test_turn_continues_a_conversation(chatbot: Chatbot) -> None:
    first = make_running_turn(chatbot)
    complete_turn(first)
    conversation = first.conversation
    Conversation.objects.update(last_message_at=Now() - timedelta(days=1))
    conversation.refresh_from_db()
    before = conversation.last_message_at
    second = make_running_turn(chatbot, conversation_id=conversation.id)
    conversation.refresh_from_db()
    assert second.conversation == conversation
    assert conversation.last_message_at > before
    assert row_counts(chatbot) == (1, 2, 3)


def test_turn_without_enough_credits_saves_nothing(chatbot: Chatbot) -> None:
    with pytest.raises(InsufficientCredits) as caught:
        open_turn_blocking(new_turn(chatbot, credits=11))
    assert (caught.value.needed, caught.value.available) == (11, 10)
    assert row_counts(chatbot) == (0, 0, 0)
    assert balance_for(chatbot.workspace_id) == Balance(10, 0)


def test_refusal_counts_what_running_turns_hold_as_not_available(chatbot: Chatbot) -> None:
    make_running_turn(chatbot, credits=7)
    with pytest.raises(InsufficientCredits) as caught:
        open_turn_blocking(new_turn(chatbot, credits=4))
    assert caught.value.body() == {
        "success": False,
        "error": InsufficientCredits.message,
        "code": "INSUFFICIENT_CREDITS",
        "needed": 4,
        "available": 3,
    }


def test_turn_does_not_use_credits_of_another_workspace(team: Team, chatbot: Chatbot) -> None:
    other = make_chatbot(team.other_workspace)
    with pytest.raises(InsufficientCredits):
        open_turn_blocking(new_turn(other, credits=1))
    assert balance_for(chatbot.workspace_id) == Balance(10, 0)


def test_turn_in_a_busy_conversation_saves_nothing(chatbot: Chatbot) -> None:
    running = make_running_turn(chatbot, credits=3)
    with pytest.raises(ConversationBusy):
        open_turn_blocking(new_turn(chatbot, conversation_id=running.conversation_id, credits=3))
    assert row_counts(chatbot) == (1, 1, 1)
    assert balance_for(chatbot.workspace_id) == Balance(10, 3)


def test_turns_of_different_conversations_run_concurrently(chatbot: Chatbot) -> None:
    make_running_turn(chatbot, credits=3)
    make_running_turn(chatbot, credits=3)
    assert balance_for(chatbot.workspace_id) == Balance(10, 6)


def test_retry_with_a_key_returns_the_first_turn(chatbot: Chatbot) -> None:
    first = make_running_turn(chatbot, credits=3, idempotency_key="k")
    assert open_turn_blocking(new_turn(chatbot, credits=3, idempotency_key="k")) == (first, False)
    complete_turn(first)
    assert open_turn_blocking(new_turn(chatbot, credits=3, idempotency_key="k")) == (first, False)
    assert row_counts(chatbot) == (1, 1, 2)
    assert balance_for(chatbot.workspace_id) == Balance(7, 0)


def test_retry_without_credits_returns_the_first_turn(chatbot: Chatbot) -> None:
    first = make_running_turn(chatbot, credits=10, idempotency_key="k")
    assert open_turn_blocking(new_turn(chatbot, credits=10, idempotency_key="k")) == (first, False)


def test_refusal_of_a_new_key_asks_nothing_more(
    chatbot: Chatbot, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = new_turn(chatbot, credits=3, idempotency_key="k")
    with django_assert_num_queries(0), pytest.raises(InsufficientCredits):
        resolve_refusal(f"{SHORT} 2", request)


def test_other_request_with_the_same_key_is_refused(chatbot: Chatbot) -> None:
    make_running_turn(chatbot, credits=3, idempotency_key="k", request_digest="one")
    with pytest.raises(IdempotencyMismatch):
        open_turn_blocking(new_turn(chatbot, credits=3, idempotency_key="k", request_digest="two"))
    assert row_counts(chatbot) == (1, 1, 1)
    assert balance_for(chatbot.workspace_id) == Balance(10, 3)


@pytest.mark.parametrize(("hours", "is_new"), [(23, False), (25, True)])
def test_key_expires_after_24_hours(chatbot: Chatbot, hours: int, is_new: bool) -> None:
    first = make_running_turn(chatbot, idempotency_key="k", request_digest="one")
    complete_turn(first)
    Turn.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(hours=hours))
    second, found_new = open_turn_blocking(
        new_turn(chatbot, idempotency_key="k", request_digest="one")
    )
    assert (found_new, second != first) == (is_new, is_new)


def test_expired_key_accepts_another_request(chatbot: Chatbot) -> None:
    first = make_running_turn(chatbot, idempotency_key="k", request_digest="one")
    Turn.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(hours=25))
    second = make_running_turn(chatbot, idempotency_key="k", request_digest="two")
    keys = Turn.objects.filter(workspace=chatbot.workspace_id).values_list("id", "idempotency_key")
    assert dict(keys) == {first.id: None, second.id: "k"}


def test_same_key_in_two_workspaces_opens_two_turns(team: Team, chatbot: Chatbot) -> None:
    mine = make_running_turn(chatbot, idempotency_key="k", request_digest="one")
    theirs = make_running_turn(
        make_chatbot(team.other_workspace), idempotency_key="k", request_digest="two"
    )
    assert (mine.workspace_id, theirs.workspace_id) == (team.workspace.id, team.other_workspace.id)


def test_requests_without_a_key_open_separate_turns(chatbot: Chatbot) -> None:
    assert make_running_turn(chatbot) != make_running_turn(chatbot)
