"""Conversations found by words in their messages and titles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.annotations import edit_conversation
from apps.conversations.erasure import delete_conversation
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation, Message, Passage, SearchProgress, Turn
from apps.conversations.search import (
    build_tsquery,
    extract_words,
    index_new_messages,
    reindex_after,
)
from apps.core.ids import first_id_at
from tests.factories import Team, make_chatbot
from tests.turns.new_turns import completed, opened


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace)


def said(chatbot: Chatbot, text: str, answer: str = "Hi", **fields: Any) -> Turn:
    turn = opened(chatbot, text=text, **fields)
    completed(turn, answer)
    return turn


def found(chatbot: Chatbot, typed: str) -> set[str]:
    """The ids of the conversations that a search finds."""
    return {each.id for each in filter_conversations(chatbot.workspace_id, search=typed)}


def titled(conversation: Conversation, title: str) -> None:
    edit_conversation(
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        title=title,
        actor=SYSTEM,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where's my  ORDER, order?", {"where", "s", "my", "order"}),
        ("ana@example.com", {"ana", "example", "com"}),
        ("Crème brûlée à Zürich", {"creme", "brulee", "a", "zurich"}),
        ("STRASSE straße", {"strasse"}),
        ("№ 4711-b_2", {"no", "4711", "b", "2"}),
        ("何時ですか", {"何時てすか", "時てすか", "てすか", "すか", "か"}),
        ("… 😀 \0", set()),
        ("x" * 70, {"x" * 64}),
    ],
)
def test_words_of_a_text(text: str, words: set[str]) -> None:
    assert extract_words(text) == words


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("refund", "'refund':*"),
        ("My Order's my", "'my' & 'order':* & 's'"),
        ("' | !(x:* <-> \\", "'x'"),
        ("時で", "'時て':*"),
        ("…", None),
        ("", None),
    ],
)
def test_what_is_typed_as_a_condition(typed: str, query: str | None) -> None:
    assert build_tsquery(typed) == query


def test_every_word_must_be_in_one_message_or_in_the_title(team: Team, chatbot: Chatbot) -> None:
    order = said(chatbot, "Where is my order of Crème?", "It left our house.")
    other = said(chatbot, "A refund for the order")
    said(make_chatbot(team.other_workspace), "order")
    assert index_new_messages() == 6
    both, first, second = (
        {order.conversation_id, other.conversation_id},
        *({each.conversation_id} for each in (order, other)),
    )
    assert found(chatbot, "ORDER") == both
    assert found(chatbot, "ord") == both
    assert found(chatbot, "order creme") == first
    assert found(chatbot, "house") == first
    assert found(chatbot, "order house") == set()
    assert found(chatbot, "rder") == found(chatbot, "or") == found(chatbot, "…") == set()
    assert found(chatbot, "refund order") == second
    titled(order.conversation, "Refund of May")
    assert (found(chatbot, "refund"), found(chatbot, "refund may")) == (both, first)
    titled(order.conversation, "Lost parcel")
    assert (found(chatbot, "refund"), found(chatbot, "parcel")) == (second, first)
    titled(order.conversation, "")
    assert found(chatbot, "parcel") == set()


def test_each_message_is_read_once(chatbot: Chatbot) -> None:
    said(chatbot, "one")
    assert (index_new_messages(), index_new_messages()) == (2, 0)
    said(chatbot, "two")
    assert (index_new_messages(), index_new_messages()) == (2, 0)
    assert Passage.objects.count() == 4


def test_answer_of_a_long_turn_is_read_though_later_ones_were(chatbot: Chatbot) -> None:
    hour = timedelta(hours=1)
    long = opened(chatbot, text="long")
    past = first_id_at(timezone.now() - hour)
    Turn.objects.filter(id=long.id).update(created_at=timezone.now() - hour, message_id=past)
    long.refresh_from_db()
    said(chatbot, "later")
    assert index_new_messages() == 3
    assert SearchProgress.objects.get().read_to < past
    completed(long, "At last")
    assert index_new_messages() == 1
    assert found(chatbot, "last") == {long.conversation_id}
    assert SearchProgress.objects.get().read_to > past


def test_rows_that_come_late_can_be_read_again(chatbot: Chatbot) -> None:
    turn = said(chatbot, "late")
    SearchProgress.objects.create(id=1, read_to=first_id_at(timezone.now() + timedelta(days=1)))
    assert index_new_messages() == 0
    reindex_after(message_id=first_id_at(timezone.now() - timedelta(days=1)))
    assert (index_new_messages(), found(chatbot, "late")) == (2, {turn.conversation_id})


def test_deleted_conversation_leaves_no_words(chatbot: Chatbot) -> None:
    turn, unread = said(chatbot, "gone"), said(chatbot, "unread")
    index_new_messages()
    Passage.objects.filter(conversation=unread.conversation_id).delete()
    titled(turn.conversation, "gone too")
    delete_conversation(
        workspace_id=turn.workspace_id, conversation_id=turn.conversation_id, actor=SYSTEM
    )
    Conversation.objects.filter(id=unread.conversation_id).update(deleted_at=timezone.now())
    assert Message.objects.filter(conversation=unread.conversation_id).count() == 2
    index_new_messages()
    assert Passage.objects.count() == 0
