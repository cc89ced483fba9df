"""The history of a conversation that a turn loads."""

from __future__ import annotations

import asyncio

import pytest

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Conversation, TurnStatus
from apps.core.ids import new_id
from apps.infrastructure.postgres.pool import close_pool
from apps.turns.history import load_history
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import (
    complete_turn,
    fail_turn,
    make_running_turn,
    make_three_exchanges,
)

Input = tuple[Chatbot, str]
"""A chatbot and a conversation id."""


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    return make_chatbot(live_team.workspace)


@pytest.fixture
def conversation(chatbot: Chatbot) -> Conversation:
    return make_three_exchanges(chatbot)


def history(conversation: Conversation, *, limit: int) -> list[str]:
    (texts,) = histories((conversation.chatbot, conversation.id), limit=limit)
    assert isinstance(texts, list)
    return texts


def histories(*inputs: Input, limit: int = 20) -> list[list[str] | str]:
    """Load these histories concurrently; the error's code for one that is not found."""

    async def load(chatbot: Chatbot, conversation_id: str) -> list[str] | str:
        try:
            messages = await load_history(
                chatbot.workspace_id, conversation_id, chatbot_id=chatbot.id, limit=limit
            )
        except ConversationNotFound as error:
            return error.code
        return [text for _, text in messages]

    async def load_all() -> list[list[str] | str]:
        try:
            return await asyncio.gather(*(load(*one) for one in inputs))
        finally:
            await close_pool()

    return asyncio.run(load_all())


def test_history_is_oldest_first(conversation: Conversation) -> None:
    assert history(conversation, limit=20) == [
        "ask 0",
        "say 0",
        "ask 1",
        "say 1",
        "ask 2",
        "say 2",
    ]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0, []),
        (1, []),
        (2, ["ask 2", "say 2"]),
        (3, ["ask 2", "say 2"]),
        (4, ["ask 1", "say 1", "ask 2", "say 2"]),
    ],
)
def test_history_is_limited_to_complete_exchanges(
    conversation: Conversation, limit: int, expected: list[str]
) -> None:
    assert history(conversation, limit=limit) == expected


def test_history_excludes_failed_turns(chatbot: Chatbot, conversation: Conversation) -> None:
    fail_turn(
        make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id), "half an ans"
    )
    assert history(conversation, limit=2) == ["ask 2", "say 2"]


def test_history_excludes_the_running_turn(chatbot: Chatbot, conversation: Conversation) -> None:
    make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    assert history(conversation, limit=2) == ["ask 2", "say 2"]


@pytest.mark.parametrize("status", [TurnStatus.STOPPED, TurnStatus.ABANDONED])
def test_history_includes_partial_answers(
    chatbot: Chatbot, conversation: Conversation, status: TurnStatus
) -> None:
    turn = make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    complete_turn(turn, "say", status=status, finish_reason=status.value)
    assert history(conversation, limit=2) == ["ask 3", "say"]


def test_history_excludes_abandoned_turns_without_text(
    chatbot: Chatbot, conversation: Conversation
) -> None:
    turn = make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    complete_turn(turn, "", status=TurnStatus.ABANDONED, finish_reason="")
    assert history(conversation, limit=2) == ["ask 2", "say 2"]


def test_history_is_of_one_conversation(chatbot: Chatbot, conversation: Conversation) -> None:
    complete_turn(make_running_turn(chatbot, text="elsewhere"), "there")
    assert "elsewhere" not in history(conversation, limit=200)


def test_concurrent_loads_return_separate_histories(live_team: Team, chatbot: Chatbot) -> None:
    chatbots = [chatbot, make_chatbot(live_team.workspace), make_chatbot(live_team.other_workspace)]
    turns = [make_running_turn(bot, text=f'ask "{n}" é語🙂') for n in range(8) for bot in chatbots]
    for turn in turns:
        complete_turn(turn, f"say {turn.id}")
    inputs = [(turn.chatbot, turn.conversation_id) for turn in turns]
    assert histories(*inputs) == [
        [f'ask "{n // 3}" é語🙂', f"say {turn.id}"] for n, turn in enumerate(turns)
    ]


@pytest.mark.parametrize("limit", [0, 20])
def test_missing_conversation_differs_from_an_empty_one(
    live_team: Team, chatbot: Chatbot, conversation: Conversation, limit: int
) -> None:
    empty = make_running_turn(chatbot).conversation_id
    deleted = make_running_turn(chatbot)
    complete_turn(deleted)
    delete_conversation(
        workspace_id=chatbot.workspace_id, conversation_id=deleted.conversation_id, actor=SYSTEM
    )
    foreign = make_running_turn(make_chatbot(live_team.other_workspace)).conversation_id
    other = make_running_turn(make_chatbot(live_team.workspace)).conversation_id
    absent = (deleted.conversation_id, foreign, other, new_id(), "", "x" * 1000)
    found = histories((chatbot, empty), *((chatbot, one) for one in absent), limit=limit)
    assert found == [[], *["CONVERSATION_NOT_FOUND"] * len(absent)]
