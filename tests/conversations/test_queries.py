from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.api_kit.pagination import encode_cursor
from apps.chatbots.models import Chatbot
from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Conversation, Message
from apps.conversations.queries import (
    get_answer_text,
    get_conversation,
    get_message_page,
    messages_in,
)
from apps.core.errors import ValidationFailed
from apps.core.ids import NIL_ID, new_id
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn, make_three_exchanges


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace)


@pytest.fixture
def conversation(chatbot: Chatbot) -> Conversation:
    return make_three_exchanges(chatbot)


def texts(messages: list[Message]) -> list[str]:
    return [message.text for message in messages]


def test_conversation_is_found_in_its_workspace(conversation: Conversation) -> None:
    result = get_conversation(
        conversation.workspace_id, conversation.id, chatbot_id=conversation.chatbot_id
    )
    assert result == conversation


def test_absent_and_foreign_conversations_raise_the_same(
    team: Team,
    chatbot: Chatbot,
    conversation: Conversation,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    foreign = make_running_turn(make_chatbot(team.other_workspace)).conversation
    of_another_chatbot = make_running_turn(make_chatbot(team.workspace)).conversation
    answers = []
    for conversation_id in (new_id(), foreign.id, of_another_chatbot.id, "", "x" * 1000):
        with django_assert_num_queries(1), pytest.raises(ConversationNotFound) as caught:
            get_conversation(team.workspace.id, conversation_id, chatbot_id=chatbot.id)
        answers.append((caught.value.status, caught.value.body()))
    assert (
        answers
        == [
            (
                404,
                {
                    "success": False,
                    "error": "Conversation not found or access denied",
                    "code": "CONVERSATION_NOT_FOUND",
                },
            )
        ]
        * 5
    )


def test_message_pages_have_no_gaps_or_repeats(conversation: Conversation) -> None:
    expected = texts(list(messages_in(conversation)))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page, cursor = get_message_page(conversation, cursor=cursor, limit=2)
        seen += texts(page)
    assert (seen, cursor) == (expected, None)


def test_message_pages_with_equal_timestamps(conversation: Conversation) -> None:
    time = conversation.created_at
    Message.objects.filter(conversation=conversation).update(created_at=time)
    expected = sorted(Message.objects.values_list("id", flat=True).filter(created_at=time))
    first, cursor = get_message_page(conversation, cursor=None, limit=4)
    second, end = get_message_page(conversation, cursor=cursor, limit=4)
    assert [message.id for message in first + second] == expected
    assert (len(second), end) == (2, None)


def test_last_page_has_no_cursor(conversation: Conversation) -> None:
    page, cursor = get_message_page(conversation, cursor=None, limit=6)
    assert (len(page), cursor) == (6, None)


def test_foreign_cursor_does_not_leak_messages(team: Team, conversation: Conversation) -> None:
    foreign = make_running_turn(make_chatbot(team.other_workspace))
    message = Message.objects.get(turn=foreign)
    before = encode_cursor(message.created_at - timedelta(days=1), message.id)
    page, _ = get_message_page(conversation, cursor=before, limit=100)
    assert page == list(messages_in(conversation))


@pytest.mark.parametrize("cursor", [NIL_ID, ""])
def test_invalid_cursor_is_rejected(conversation: Conversation, cursor: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        get_message_page(conversation, cursor=cursor, limit=2)
    assert caught.value.details == {"cursor": ["This is not a cursor of this list."]}


def test_user_message_precedes_answer(conversation: Conversation) -> None:
    roles = messages_in(conversation).values_list("role", flat=True)
    assert list(roles) == ["user", "assistant"] * 3


def test_answer_is_empty_until_the_turn_settles(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, text="ask")
    assert get_answer_text(turn) == ""
    complete_turn(turn, "say")
    assert get_answer_text(turn) == "say"
