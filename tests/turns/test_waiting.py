"""What is decided after a wait for another session: by what that one has committed."""

from __future__ import annotations

import pytest

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import Turn, TurnStatus
from apps.credits.errors import InsufficientCredits
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import adjust, grant
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.types import NewTurn, Receipt, Settlement
from tests.concurrent_sessions import after, in_new_loop
from tests.factories import grant_credits
from tests.turns.conftest import make_priced_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn, new_turn, open_turn_blocking


@pytest.fixture
def chatbot(committed: None) -> Chatbot:
    """A chatbot in a workspace with 10 credits, at 1 credit a reply."""
    chatbot = make_priced_chatbot()
    grant_credits(chatbot.workspace, 10)
    return chatbot


def open_in_pool(new: NewTurn) -> tuple[Turn, bool]:
    result: tuple[Turn, bool] = in_new_loop(lambda: open_turn(new))
    return result


def settle_in_pool(turn: Turn) -> Receipt:
    answer = Settlement(status=TurnStatus.COMPLETED, text="Hi", finish_reason="stop")
    receipt: Receipt = in_new_loop(lambda: settle_turn(turn=turn, settlement=answer))
    return receipt


def balance_of(chatbot: Chatbot) -> Balance:
    """The balance of the chatbot's workspace, which is the sum of its ledger."""
    balance = balance_for(chatbot.workspace_id)
    assert ledger_sum(chatbot.workspace_id) == balance.balance
    return balance


def make_conversation(chatbot: Chatbot) -> Turn:
    """The settled turn that began a conversation."""
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    return turn


def test_turn_opens_with_credits_that_a_settled_turn_released(chatbot: Chatbot) -> None:
    running, new = make_running_turn(chatbot, credits=6), new_turn(chatbot, credits=6)
    _, is_new = after(lambda: complete_turn(running), lambda: open_in_pool(new))
    assert (is_new, balance_of(chatbot)) == (True, Balance(9, 6))


def test_turn_opens_with_credits_of_a_top_up(chatbot: Chatbot) -> None:
    new = new_turn(chatbot, credits=15)
    _, is_new = after(
        lambda: grant(workspace_id=chatbot.workspace_id, credits=5, reason="x"),
        lambda: open_in_pool(new),
    )
    assert (is_new, balance_of(chatbot)) == (True, Balance(15, 15))


def test_turn_is_refused_after_a_deduction(chatbot: Chatbot) -> None:
    new = new_turn(chatbot, credits=10)
    refused = after(
        lambda: adjust(workspace_id=chatbot.workspace_id, credits=-5, reason="x"),
        lambda: open_in_pool(new),
    )
    assert isinstance(refused, InsufficientCredits)
    assert balance_of(chatbot) == Balance(5, 0)


def test_turn_is_refused_after_another_took_the_credits(chatbot: Chatbot) -> None:
    new = new_turn(chatbot, credits=6)
    refused = after(lambda: open_turn_blocking(new), lambda: open_in_pool(new))
    assert isinstance(refused, InsufficientCredits)
    assert balance_of(chatbot) == Balance(10, 6)


def test_turn_does_not_open_in_a_conversation_deleted_meanwhile(chatbot: Chatbot) -> None:
    first = make_conversation(chatbot)
    again = new_turn(chatbot, credits=1, conversation_id=first.conversation_id)
    refused = after(
        lambda: delete_conversation(
            workspace_id=first.workspace_id, conversation_id=first.conversation_id, actor=SYSTEM
        ),
        lambda: open_in_pool(again),
    )
    assert isinstance(refused, ConversationNotFound)
    assert balance_of(chatbot) == Balance(10, 0)


def test_turn_does_not_open_beside_one_opened_meanwhile(chatbot: Chatbot) -> None:
    first = make_conversation(chatbot)
    again = new_turn(chatbot, credits=1, conversation_id=first.conversation_id)
    refused = after(lambda: open_turn_blocking(again), lambda: open_in_pool(again))
    assert isinstance(refused, ConversationBusy)
    assert balance_of(chatbot) == Balance(10, 1)


def test_turn_of_the_same_key_is_found_after_the_wait(chatbot: Chatbot) -> None:
    opened: list[tuple[Turn, bool]] = []
    keyed = new_turn(chatbot, credits=10, idempotency_key="k")
    found = after(lambda: opened.append(open_turn_blocking(keyed)), lambda: open_in_pool(keyed))
    assert found == (opened[0][0], False)
    assert balance_of(chatbot) == Balance(10, 10)


@pytest.mark.parametrize("credits", [4, -4])
def test_turn_is_charged_to_the_balance_after_the_wait(chatbot: Chatbot, credits: int) -> None:
    running = make_running_turn(chatbot, credits=6)
    receipt = after(
        lambda: adjust(workspace_id=chatbot.workspace_id, credits=credits, reason="x"),
        lambda: settle_in_pool(running),
    )
    assert (receipt.charged, receipt.balance) == (1, 9 + credits)
    assert balance_of(chatbot) == Balance(9 + credits, 0)
