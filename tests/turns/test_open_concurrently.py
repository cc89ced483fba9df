"""Turns that are opened concurrently on separate connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from apps.chatbots.models import Chatbot
from apps.conversations.errors import ConversationBusy
from apps.conversations.models import Turn
from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits
from apps.credits.queries import Balance, balance_for
from apps.turns.types import NewTurn
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn, new_turn, open_turn_blocking

THREADS = 8
ROUNDS = 6


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    return make_chatbot(live_team.workspace, make_language_model(credits_per_reply=1))


def open_concurrently(request: NewTurn) -> list[tuple[str, bool]]:
    """Send the request concurrently: for each, the turn id or error code, and whether it is new."""
    barrier = Barrier(THREADS)

    def run(_: int) -> tuple[str, bool]:
        barrier.wait(timeout=30)
        try:
            turn, is_new = open_turn_blocking(request)
        except (ConversationBusy, InsufficientCredits) as error:
            return error.code, False
        else:
            return turn.id, is_new
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(pool.map(run, range(THREADS)))


def assert_one_opened(chatbot: Chatbot, outcomes: list[tuple[str, bool]], others: str = "") -> Turn:
    """Return the turn that one request opened; the others got it too, or the code `others`."""
    (turn_id,) = [found for found, is_new in outcomes if is_new]
    expected = [(turn_id, True)] + [(others or turn_id, False)] * (THREADS - 1)
    assert outcomes == sorted(expected)
    return Turn.objects.get(workspace=chatbot.workspace_id, pk=turn_id)


def test_concurrent_requests_with_one_key_open_one_turn(live_team: Team, chatbot: Chatbot) -> None:
    grant_credits(live_team.workspace, ROUNDS * THREADS)
    for number in range(ROUNDS):
        request = new_turn(chatbot, credits=1, idempotency_key=new_id())
        assert_one_opened(chatbot, open_concurrently(request))
        assert balance_for(chatbot.workspace_id).held == number + 1


def test_one_key_opens_one_turn_with_credits_for_one(live_team: Team, chatbot: Chatbot) -> None:
    for _ in range(ROUNDS):
        grant_credits(live_team.workspace, 1)
        request = new_turn(chatbot, credits=1, idempotency_key=new_id())
        assert_one_opened(chatbot, open_concurrently(request))
    assert balance_for(chatbot.workspace_id) == Balance(ROUNDS, ROUNDS)


def test_one_key_opens_one_turn_in_a_conversation(live_team: Team, chatbot: Chatbot) -> None:
    grant_credits(live_team.workspace, ROUNDS * THREADS)
    first = make_running_turn(chatbot)
    complete_turn(first)
    for _ in range(ROUNDS):
        request = new_turn(
            chatbot, conversation_id=first.conversation_id, credits=1, idempotency_key=new_id()
        )
        complete_turn(assert_one_opened(chatbot, open_concurrently(request)))
    assert balance_for(chatbot.workspace_id) == Balance(ROUNDS * (THREADS - 1), 0)


def test_conversation_has_one_running_turn(live_team: Team, chatbot: Chatbot) -> None:
    grant_credits(live_team.workspace, THREADS)
    first = make_running_turn(chatbot)
    complete_turn(first)
    request = new_turn(chatbot, conversation_id=first.conversation_id, credits=1)
    assert_one_opened(chatbot, open_concurrently(request), others="CONVERSATION_BUSY")
    assert balance_for(chatbot.workspace_id) == Balance(THREADS, 1)


def test_one_credit_opens_one_turn(live_team: Team, chatbot: Chatbot) -> None:
    grant_credits(live_team.workspace, 1)
    outcomes = open_concurrently(new_turn(chatbot, credits=1))
    assert_one_opened(chatbot, outcomes, others="INSUFFICIENT_CREDITS")
    assert balance_for(chatbot.workspace_id) == Balance(1, 1)
