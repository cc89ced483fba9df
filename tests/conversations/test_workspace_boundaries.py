"""Rows of one workspace never point at rows of another: PostgreSQL refuses them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction

from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn
from apps.core.ids import new_id
from tests.factories import Team, make_chatbot
from tests.turns.new_turns import opened


def copy(row: models.Model, **changes: Any) -> None:
    """Insert a copy of a row under a new id, in plain SQL and with these columns changed."""
    values = type(row)._default_manager.filter(pk=row.pk).values().get()
    values |= {"id": new_id(), **changes}
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {row._meta.db_table} ({columns}) VALUES ({marks})", [*values.values()]
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def check_constraints_now() -> None:
    """Have the database check now what it would check at the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def own_turn(team: Team) -> Turn:
    """A turn of Alice's workspace."""
    return opened(make_chatbot(team.workspace))


@pytest.fixture
def foreign_turn(team: Team) -> Turn:
    """A turn of Charlie's workspace."""
    return opened(make_chatbot(team.other_workspace))


def test_conversation_cannot_have_foreign_chatbot(mine: Turn, theirs: Turn) -> None:
    copy(mine.conversation)
    with pytest.raises(IntegrityError, match="conversation_chatbot_same_workspace"):
        copy(mine.conversation, chatbot_id=theirs.chatbot_id)


def test_turn_cannot_have_foreign_chatbot(mine: Turn, theirs: Turn) -> None:
    settled = {"status": "failed", "settled_at": mine.created_at}
    copy(mine, **settled)
    with pytest.raises(IntegrityError, match="turn_chatbot_same_workspace"):
        copy(mine, chatbot_id=theirs.chatbot_id, **settled)


def test_turn_cannot_have_foreign_conversation(mine: Turn, theirs: Turn) -> None:
    settled = {"status": "failed", "settled_at": mine.created_at}
    with pytest.raises(IntegrityError, match="turn_conversation_same_workspace"):
        copy(mine, conversation_id=theirs.conversation_id, **settled)


def test_turn_cannot_have_foreign_api_key(mine: Turn, team: Team) -> None:
    settled = {"status": "failed", "settled_at": mine.created_at}
    keys = [
        issue_key(workspace=workspace, name="test")[0]
        for workspace in (team.workspace, team.other_workspace)
    ]
    copy(mine, api_key_id=keys[0].id, **settled)
    with pytest.raises(IntegrityError, match="turn_api_key_same_workspace"):
        copy(mine, api_key_id=keys[1].id, **settled)


def test_message_cannot_have_foreign_turn(mine: Turn, theirs: Turn) -> None:
    message = Message.objects.get(turn=mine)
    with pytest.raises(IntegrityError, match="message_turn_same_workspace"):
        copy(message, role="assistant", turn_id=theirs.id)


def test_message_cannot_have_foreign_conversation(mine: Turn, theirs: Turn) -> None:
    message = Message.objects.get(turn=mine)
    copy(message, role="assistant")
    Message.objects.filter(role="assistant").delete()
    with pytest.raises(IntegrityError, match="message_conversation_same_workspace"):
        copy(message, role="assistant", conversation_id=theirs.conversation_id)


@pytest.mark.parametrize("table", [Conversation, Turn, Message])
def test_row_cannot_move_to_another_workspace(
    mine: Turn, theirs: Turn, table: type[models.Model]
) -> None:
    rows = table._default_manager.filter(workspace=mine.workspace_id)
    rows.update(workspace=theirs.workspace_id)
    with pytest.raises(IntegrityError, match="same_workspace"):
        check_constraints_now()


def test_chatbot_with_conversations_cannot_move(mine: Turn, theirs: Turn) -> None:
    Chatbot.objects.filter(pk=mine.chatbot_id).update(workspace=theirs.workspace_id)
    with pytest.raises(IntegrityError, match="same_workspace"):
        check_constraints_now()


def test_conversation_has_one_running_turn(mine: Turn) -> None:
    with pytest.raises(IntegrityError, match="conversations_one_running_turn"):
        copy(mine)


def test_turn_has_one_message_per_role(mine: Turn) -> None:
    with pytest.raises(IntegrityError, match="conversations_one_message_a_role"):
        copy(Message.objects.get(turn=mine))
