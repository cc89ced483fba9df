"""Full-text search over messages and titles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.annotations import edit_conversation
from apps.conversations.erasure import delete_conversation
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation, Message, Passage, SearchProgress, Turn
from apps.conversations.search import index_new_messages, reindex_after, take_in_turn
from apps.core.ids import min_id_at
from tests.factories import Team, make_chatbot
from tests.fault_injection import reject_inserts
from tests.turns.turn_factory import complete_turn, make_running_turn


@pytest.fixture(autouse=True)
def no_other_messages(db: None) -> None:
    """Remove messages and turns that committed tests have left, until the rollback.

    All messages are indexed, and progress ends at the oldest turn that is running.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE conversations_message, conversations_turn CASCADE")
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace)


def make_turn(chatbot: Chatbot, text: str, answer: str = "Hi", **fields: Any) -> Turn:
    turn = make_running_turn(chatbot, text=text, **fields)
    complete_turn(turn, answer)
    return turn


def search(chatbot: Chatbot, text: str) -> set[str]:
    """The ids of the conversations that match."""
    return {each.id for each in filter_conversations(chatbot.workspace_id, search=text)}


def set_title(conversation: Conversation, title: str) -> None:
    edit_conversation(
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        title=title,
        actor=SYSTEM,
    )


def test_all_words_must_be_in_one_message_or_title(team: Team, chatbot: Chatbot) -> None:
    order = make_turn(chatbot, "Where is my order of Crème?", "It left our house.")
    other = make_turn(chatbot, "A refund for the order")
    make_turn(make_chatbot(team.other_workspace), "order")
    assert index_new_messages() == 6
    both, first, second = (
        {order.conversation_id, other.conversation_id},
        *({each.conversation_id} for each in (order, other)),
    )
    assert search(chatbot, "ORDER") == both
    assert search(chatbot, "ord") == both
    assert search(chatbot, "order creme") == first
    assert search(chatbot, "house") == first
    assert search(chatbot, "order house") == set()
    assert search(chatbot, "rder") == search(chatbot, "or") == search(chatbot, "…") == set()
    assert search(chatbot, "refund order") == second
    set_title(order.conversation, "Refund of May")
    assert (search(chatbot, "refund"), search(chatbot, "refund may")) == (both, first)
    set_title(order.conversation, "Lost parcel")
    assert (search(chatbot, "refund"), search(chatbot, "parcel")) == (second, first)
    set_title(order.conversation, "")
    assert search(chatbot, "parcel") == set()


def test_each_message_is_indexed_once(chatbot: Chatbot) -> None:
    make_turn(chatbot, "one")
    assert (index_new_messages(), index_new_messages()) == (2, 0)
    make_turn(chatbot, "two")
    assert (index_new_messages(), index_new_messages()) == (2, 0)
    assert Passage.objects.count() == 4


def test_answer_of_long_turn_is_indexed_after_later_ones(chatbot: Chatbot) -> None:
    hour = timedelta(hours=1)
    long = make_running_turn(chatbot, text="long")
    past = min_id_at(timezone.now() - hour)
    Turn.objects.filter(id=long.id).update(created_at=timezone.now() - hour, message_id=past)
    long.refresh_from_db()
    make_turn(chatbot, "later")
    assert index_new_messages() == 3
    assert SearchProgress.objects.get().read_to < past
    complete_turn(long, "At last")
    assert index_new_messages() == 1
    assert search(chatbot, "last") == {long.conversation_id}
    assert SearchProgress.objects.get().read_to > past


def test_late_rows_are_reindexed(chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "late")
    SearchProgress.objects.create(id=1, read_to=min_id_at(timezone.now() + timedelta(days=1)))
    assert index_new_messages() == 0
    reindex_after(message_id=min_id_at(timezone.now() - timedelta(days=1)))
    assert (index_new_messages(), search(chatbot, "late")) == (2, {turn.conversation_id})


def test_batch_takes_workspaces_in_turn() -> None:
    busy = [(f"{number:02}", "c", "busy") for number in range(8)]
    others = [("90", "d", "first"), ("91", "e", "second"), ("92", "d", "first")]
    batch, rest = take_in_turn([*busy, *others], 6)
    assert [id for id, _, _ in batch] == ["00", "90", "91", "01", "92", "02"]
    assert rest == busy[3:]


def test_message_that_cannot_be_indexed_stops_no_other(team: Team, chatbot: Chatbot) -> None:
    other = make_chatbot(team.other_workspace)
    for each in (chatbot, other):
        complete_turn(make_running_turn(each, text="Hello"))
    with reject_inserts("conversations_passage", team.workspace):
        index_new_messages()
    documents = Passage.objects.filter(workspace__in=[team.workspace, team.other_workspace])
    assert set(documents.values_list("workspace", flat=True)) == {team.other_workspace.id}


def test_deleted_conversation_has_no_search_documents(chatbot: Chatbot) -> None:
    turn, unindexed = make_turn(chatbot, "gone"), make_turn(chatbot, "unindexed")
    index_new_messages()
    Passage.objects.filter(conversation=unindexed.conversation_id).delete()
    set_title(turn.conversation, "gone too")
    delete_conversation(
        workspace_id=turn.workspace_id, conversation_id=turn.conversation_id, actor=SYSTEM
    )
    Conversation.objects.filter(id=unindexed.conversation_id).update(deleted_at=timezone.now())
    assert Message.objects.filter(conversation=unindexed.conversation_id).count() == 2
    index_new_messages()
    assert Passage.objects.count() == 0
