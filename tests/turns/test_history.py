"""What a turn recalls of its conversation, and of no other."""

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

Asked = tuple[Chatbot, str]


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    return make_chatbot(live_team.workspace)


@pytest.fixture
def conversation(chatbot: Chatbot) -> Conversation:
    return make_three_exchanges(chatbot)


def recalled(conversation: Conversation, *, limit: int) -> list[str]:
    (texts,) = recalled_at_once((conversation.chatbot, conversation.id), limit=limit)
    assert isinstance(texts, list)
    return texts


def recalled_at_once(*asked: Asked, limit: int = 20) -> list[list[str] | str]:
    """What each of them recalls, all at the same moment; the error's code where it finds none."""

    async def recall(chatbot: Chatbot, conversation_id: str) -> list[str] | str:
        try:
            said = await load_history(
                chatbot.workspace_id, conversation_id, chatbot_id=chatbot.id, limit=limit
            )
        except ConversationNotFound as error:
            return error.code
        return [text for _, text in said]

    async def all_of_them() -> list[list[str] | str]:
        try:
            return await asyncio.gather(*(recall(*one) for one in asked))
        finally:
            await close_pool()

    return asyncio.run(all_of_them())


def test_history_is_whole_exchanges_oldest_first(conversation: Conversation) -> None:
    assert recalled(conversation, limit=20) == [
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
def test_history_is_cut_to_the_limit_and_begins_with_the_user(
    conversation: Conversation, limit: int, expected: list[str]
) -> None:
    assert recalled(conversation, limit=limit) == expected


def test_history_leaves_failed_turns_out(chatbot: Chatbot, conversation: Conversation) -> None:
    fail_turn(
        make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id), "half an ans"
    )
    assert recalled(conversation, limit=2) == ["ask 2", "say 2"]


def test_history_leaves_the_running_turn_out(chatbot: Chatbot, conversation: Conversation) -> None:
    make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    assert recalled(conversation, limit=2) == ["ask 2", "say 2"]


@pytest.mark.parametrize("status", [TurnStatus.STOPPED, TurnStatus.ABANDONED])
def test_history_keeps_an_answer_that_was_cut_short(
    chatbot: Chatbot, conversation: Conversation, status: TurnStatus
) -> None:
    turn = make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    complete_turn(turn, "say", status=status, finish_reason=status.value)
    assert recalled(conversation, limit=2) == ["ask 3", "say"]


def test_history_leaves_out_a_turn_abandoned_without_a_word(
    chatbot: Chatbot, conversation: Conversation
) -> None:
    turn = make_running_turn(chatbot, text="ask 3", conversation_id=conversation.id)
    complete_turn(turn, "", status=TurnStatus.ABANDONED, finish_reason="")
    assert recalled(conversation, limit=2) == ["ask 2", "say 2"]


def test_history_is_of_one_conversation(chatbot: Chatbot, conversation: Conversation) -> None:
    complete_turn(make_running_turn(chatbot, text="elsewhere"), "there")
    assert "elsewhere" not in recalled(conversation, limit=200)


def test_each_that_asks_recalls_its_own(live_team: Team, chatbot: Chatbot) -> None:
    chatbots = [chatbot, make_chatbot(live_team.workspace), make_chatbot(live_team.other_workspace)]
    turns = [make_running_turn(bot, text=f'ask "{n}" é語🙂') for n in range(8) for bot in chatbots]
    for turn in turns:
        complete_turn(turn, f"say {turn.id}")
    asked = [(turn.chatbot, turn.conversation_id) for turn in turns]
    assert recalled_at_once(*asked) == [
        [f'ask "{n // 3}" é語🙂', f"say {turn.id}"] for n, turn in enumerate(turns)
    ]


@pytest.mark.parametrize("limit", [0, 20])
def test_conversation_that_is_not_there_is_told_apart_from_a_silent_one(
    live_team: Team, chatbot: Chatbot, conversation: Conversation, limit: int
) -> None:
    silent = make_running_turn(chatbot).conversation_id
    deleted = make_running_turn(chatbot)
    complete_turn(deleted)
    delete_conversation(
        workspace_id=chatbot.workspace_id, conversation_id=deleted.conversation_id, actor=SYSTEM
    )
    foreign = make_running_turn(make_chatbot(live_team.other_workspace)).conversation_id
    other = make_running_turn(make_chatbot(live_team.workspace)).conversation_id
    absent = (deleted.conversation_id, foreign, other, new_id(), "", "x" * 1000)
    found = recalled_at_once((chatbot, silent), *((chatbot, one) for one in absent), limit=limit)
    assert found == [[], *["CONVERSATION_NOT_FOUND"] * len(absent)]
