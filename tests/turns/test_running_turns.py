"""How many turns of a workspace run at the same time."""

from __future__ import annotations

import pytest
from django.test import override_settings

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import TooManyRequests
from apps.credits.models import Account, Plan
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from tests.concurrent_sessions import after, in_new_loop
from tests.factories import grant_credits
from tests.turns.concurrent_calls import outcomes
from tests.turns.conftest import make_priced_chatbot
from tests.turns.turn_factory import (
    complete_turn,
    expire_heartbeat,
    make_running_turn,
    new_turn,
    open_turn_blocking,
)


@pytest.fixture
def chatbot(committed: None) -> Chatbot:
    """A chatbot in a workspace with 10 credits."""
    chatbot = make_priced_chatbot()
    grant_credits(chatbot.workspace, 10)
    return chatbot


def running_turns(chatbot: Chatbot) -> int:
    """The running turns of the chatbot's workspace, as they are and as they are counted."""
    turns = Turn.objects.filter(workspace=chatbot.workspace_id, status=TurnStatus.RUNNING).count()
    assert Account.objects.get(pk=chatbot.workspace_id).running_turns == turns
    return turns


@override_settings(MAX_RUNNING_TURNS=3)
async def test_turns_opened_at_once_are_limited(funded_chatbot: Chatbot) -> None:
    new_turns = [new_turn(funded_chatbot, credits=number % 2) for number in range(12)]
    found = await outcomes(*map(open_turn, new_turns))
    assert (found.count("done"), found.count("TooManyRequests")) == (3, 9)
    assert await in_thread(running_turns, funded_chatbot) == 3
    running = await in_thread(Turn.objects.filter(workspace=funded_chatbot.workspace_id).first)
    assert running is not None
    await settle_turn(turn=running, settlement=Settlement(TurnStatus.FAILED))
    more = await outcomes(*(open_turn(new_turn(funded_chatbot)) for _ in range(3)))
    assert sorted(more) == ["TooManyRequests", "TooManyRequests", "done"]
    assert await in_thread(running_turns, funded_chatbot) == 3


@override_settings(MAX_RUNNING_TURNS=1)
async def test_refusal_names_the_limit(funded_chatbot: Chatbot) -> None:
    await open_turn(new_turn(funded_chatbot, idempotency_key="k"))
    with pytest.raises(TooManyRequests, match="runs 1 turns at once, its limit") as refused:
        await open_turn(new_turn(funded_chatbot))
    assert refused.value.retry_after == 1
    _, is_new = await open_turn(new_turn(funded_chatbot, idempotency_key="k"))
    assert not is_new


@override_settings(MAX_RUNNING_TURNS=3)
async def test_plan_sets_its_own_limit(funded_chatbot: Chatbot) -> None:
    def set_limit(turns: int | None) -> None:
        plan, _ = Plan.objects.update_or_create(
            slug=funded_chatbot.workspace_id, defaults={"max_running_turns": turns}
        )
        Account.objects.filter(pk=funded_chatbot.workspace_id).update(plan=plan)

    await in_thread(set_limit, 2)
    opening = [open_turn(new_turn(funded_chatbot)) for _ in range(4)]
    assert (await outcomes(*opening)).count("done") == 2
    with pytest.raises(TooManyRequests, match="runs 2 turns at once"):
        await open_turn(new_turn(funded_chatbot))
    await in_thread(set_limit, None)
    assert await outcomes(open_turn(new_turn(funded_chatbot))) == ["done"]
    with pytest.raises(TooManyRequests, match="runs 3 turns at once"):
        await open_turn(new_turn(funded_chatbot))


@override_settings(MAX_RUNNING_TURNS=1)
def test_abandoned_turn_makes_room(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    expire_heartbeat(turn)
    assert turn.id in sweep_turns()
    assert running_turns(chatbot) == 0
    make_running_turn(chatbot)


@override_settings(MAX_RUNNING_TURNS=1)
def test_last_place_is_taken_once_by_two_sessions(chatbot: Chatbot) -> None:
    new = new_turn(chatbot)
    refused = after(
        lambda: open_turn_blocking(new), lambda: in_new_loop(lambda: open_turn(new_turn(chatbot)))
    )
    assert isinstance(refused, TooManyRequests)
    assert running_turns(chatbot) == 1


@override_settings(MAX_RUNNING_TURNS=1)
def test_place_of_a_turn_that_ends_meanwhile_is_free(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    _, is_new = after(
        lambda: complete_turn(turn), lambda: in_new_loop(lambda: open_turn(new_turn(chatbot)))
    )
    assert (is_new, running_turns(chatbot)) == (True, 1)
