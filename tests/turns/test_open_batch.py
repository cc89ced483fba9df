"""Turns that are opened concurrently, by one SQL statement."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest
from django.db import transaction

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.audit.services import SYSTEM
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Conversation, Message, Turn, TurnStatus
from apps.credits.errors import InsufficientCredits
from apps.credits.queries import Balance, balance_for
from apps.credits.services import lock_account
from apps.infrastructure.postgres.threads import in_thread
from apps.turns.open import open_turn
from apps.turns.settle import settle_turn
from apps.turns.types import Settlement
from tests.factories import grant_credits, make_chatbot
from tests.turns.concurrent_calls import outcomes
from tests.turns.conftest import make_priced_chatbot
from tests.turns.orm_oracle import open_turn as open_by_orm
from tests.turns.orm_oracle import settle_turn as settle_by_orm
from tests.turns.turn_factory import new_turn


async def test_batch_rejects_only_turns_beyond_the_balance(funded_chatbot: Chatbot) -> None:
    calls = [open_turn(new_turn(funded_chatbot, credits=n)) for n in (6, 11, 5, 3, 1, 1)]
    refused = InsufficientCredits.__name__
    assert await outcomes(*calls) == ["done", refused, refused, "done", "done", refused]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 10)


async def test_batch_opens_one_turn_for_one_key(funded_chatbot: Chatbot) -> None:
    request = new_turn(funded_chatbot, credits=1, idempotency_key="k")
    found = await asyncio.gather(*(open_turn(request) for _ in range(4)))
    assert len({turn.id for turn, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False, False, False, True]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 1)


async def test_batch_opens_one_turn_in_one_conversation(funded_chatbot: Chatbot) -> None:
    first, _ = await open_turn(new_turn(funded_chatbot))
    await settle_turn(turn=first, settlement=Settlement(TurnStatus.COMPLETED))
    again = new_turn(funded_chatbot, credits=1, conversation_id=first.conversation_id)
    found = await outcomes(*(open_turn(again) for _ in range(3)))
    assert sorted(found) == ["ConversationBusy", "ConversationBusy", "done"]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 1)


async def test_workspace_without_an_account_gets_one(connection_pool: None) -> None:
    chatbot = await in_thread(make_priced_chatbot)
    calls = [open_turn(new_turn(chatbot, credits=credits)) for credits in (0, 1)]
    assert await outcomes(*calls) == ["done", "InsufficientCredits"]


def nested(levels: int) -> dict[str, Any]:
    """Metadata nested deeper than JSON can be encoded."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("invalid", "error"),
    [
        ({"text": "NUL \x00"}, "UntranslatableCharacter"),
        ({"text": "half a pair \ud800"}, "InvalidTextRepresentation"),
        ({"queue_ms": 2**40}, "NumericValueOutOfRange"),
        ({"metadata": nested(3000)}, "RecursionError"),
        ({"metadata": {"a set": {1}}}, "TypeError"),
    ],
)
async def test_invalid_turn_fails_alone_in_its_batch(
    funded_chatbot: Chatbot, invalid: dict[str, Any], error: str
) -> None:
    new_turns = [new_turn(funded_chatbot, credits=1, **fields) for fields in ({}, invalid, {}, {})]
    assert await outcomes(*map(open_turn, new_turns)) == ["done", error, "done", "done"]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 3)


async def test_locked_account_does_not_block_other_workspaces(funded_chatbot: Chatbot) -> None:
    other = await in_thread(make_priced_chatbot)
    await in_thread(grant_credits, other.workspace, 10)
    locked, finished = Event(), Event()

    def hold_lock() -> None:
        with transaction.atomic():
            lock_account(workspace_id=funded_chatbot.workspace_id)
            locked.set()
            finished.wait(timeout=30)

    lock_holder = asyncio.create_task(in_thread(hold_lock))
    await asyncio.to_thread(locked.wait, 30)
    calls = [open_turn(new_turn(each, credits=1)) for each in (funded_chatbot, other)]
    assert await outcomes(*calls) == ["LockNotAvailable", "done"]
    finished.set()
    await lock_holder
    assert await outcomes(open_turn(new_turn(funded_chatbot, credits=1))) == ["done"]


async def test_rows_deleted_meanwhile_are_not_found(funded_chatbot: Chatbot) -> None:
    def deleted_key() -> str:
        key, _ = issue_key(workspace=funded_chatbot.workspace, name="n")
        ApiKey.objects.filter(pk=key.pk).delete()
        return str(key.id)

    def deleted_chatbot() -> Chatbot:
        chatbot = make_chatbot(funded_chatbot.workspace, funded_chatbot.language_model)
        Chatbot.objects.filter(pk=chatbot.pk).delete()
        return chatbot

    def deleted_conversation() -> Conversation:
        turn, _ = open_by_orm(new_turn(funded_chatbot))
        Message.objects.filter(turn=turn).delete()
        Turn.objects.filter(pk=turn.pk).delete()
        Conversation.objects.filter(pk=turn.conversation_id).delete()
        return Conversation(id=turn.conversation_id, workspace_id=turn.workspace_id)

    def hidden_conversation() -> Conversation:
        turn, _ = open_by_orm(new_turn(funded_chatbot))
        settle_by_orm(turn=turn, settlement=Settlement(TurnStatus.COMPLETED, "Hi"))
        delete_conversation(
            workspace_id=turn.workspace_id, conversation_id=turn.conversation_id, actor=SYSTEM
        )
        return turn.conversation

    key_id, chatbot = await in_thread(deleted_key), await in_thread(deleted_chatbot)
    conversation = await in_thread(deleted_conversation)
    hidden = await in_thread(hidden_conversation)
    calls = [
        open_turn(new_turn(funded_chatbot, credits=1)),
        open_turn(new_turn(funded_chatbot, credits=1, api_key_id=key_id)),
        open_turn(new_turn(chatbot, credits=1)),
        open_turn(new_turn(funded_chatbot, credits=1, conversation_id=conversation.id)),
        open_turn(new_turn(funded_chatbot, credits=1, conversation_id=hidden.id)),
    ]
    expected = [InvalidApiKey, ChatbotNotFound, ConversationNotFound, ConversationNotFound]
    assert await outcomes(*calls) == ["done", *(error.__name__ for error in expected)]
    assert await in_thread(balance_for, funded_chatbot.workspace_id) == Balance(10, 1)
