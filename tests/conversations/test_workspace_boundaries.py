"""PostgreSQL rejects rows that reference rows of another workspace."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Message, Turn
from apps.core.ids import new_id
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import make_running_turn


def copy(row: models.Model, **changes: Any) -> None:
    """Insert a copy of a row with a new id and changed columns."""
    values = type(row)._default_manager.filter(pk=row.pk).values().get()
    values |= {"id": new_id(), **changes}
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {row._meta.db_table} ({columns}) VALUES ({marks})",
            [*values.values()],
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def check_constraints_now() -> None:
    """Check deferred constraints now instead of at commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def own_turn(team: Team) -> Turn:
    """A turn of Alice's workspace."""
    return make_running_turn(make_chatbot(team.workspace))


@pytest.fixture
def foreign_turn(team: Team) -> Turn:
    """A turn of Charlie's workspace."""
    return make_running_turn(make_chatbot(team.other_workspace))


def test_conversation_cannot_have_foreign_chatbot(own_turn: Turn, foreign_turn: Turn) -> None:
    copy(own_turn.conversation)
    with pytest.raises(IntegrityError, match="conversation_chatbot_same_workspace"):
        copy(own_turn.conversation, chatbot_id=foreign_turn.chatbot_id)


def test_turn_cannot_have_foreign_chatbot(own_turn: Turn, foreign_turn: Turn) -> None:
    settled = {"status": "failed", "settled_at": timezone.now()}
    copy(own_turn, **settled)
    with pytest.raises(IntegrityError, match="turn_chatbot_same_workspace"):
        copy(own_turn, chatbot_id=foreign_turn.chatbot_id, **settled)


def test_turn_cannot_have_foreign_conversation(own_turn: Turn, foreign_turn: Turn) -> None:
    settled = {"status": "failed", "settled_at": timezone.now()}
    with pytest.raises(IntegrityError, match="turn_conversation_same_workspace"):
        copy(own_turn, conversation_id=foreign_turn.conversation_id, **settled)


def test_turn_cannot_have_foreign_api_key(own_turn: Turn, team: Team) -> None:
    settled = {"status": "failed", "settled_at": timezone.now()}
    keys = [
        issue_key(workspace=workspace, name="test")[0]
        for workspace in (team.workspace, team.other_workspace)
    ]
    copy(own_turn, api_key_id=keys[0].id, **settled)
    with pytest.raises(IntegrityError, match="turn_api_key_same_workspace"):
        copy(own_turn, api_key_id=keys[1].id, **settled)


def test_message_cannot_have_foreign_turn(own_turn: Turn, foreign_turn: Turn) -> None:
    message = Message.objects.get(turn=own_turn)
    with pytest.raises(IntegrityError, match="message_turn_same_workspace"):
        copy(message, role="assistant", turn_id=foreign_turn.id)


def test_message_cannot_have_foreign_conversation(own_turn: Turn, foreign_turn: Turn) -> None:
    message = Message.objects.get(turn=own_turn)
    copy(message, role="assistant")
    Message.objects.filter(role="assistant").delete()
    with pytest.raises(IntegrityError, match="message_conversation_same_workspace"):
        copy(message, role="assistant", conversation_id=foreign_turn.conversation_id)


@pytest.mark.parametrize("table", [Conversation, Turn, Message])
def test_row_cannot_move_to_another_workspace(
    own_turn: Turn, foreign_turn: Turn, table: type[models.Model]
) -> None:
    rows = table._default_manager.filter(workspace=own_turn.workspace_id)
    rows.update(workspace=foreign_turn.workspace_id)
    with pytest.raises(IntegrityError, match="same_workspace"):
        check_constraints_now()


def test_chatbot_with_conversations_cannot_move(own_turn: Turn, foreign_turn: Turn) -> None:
    Chatbot.objects.filter(pk=own_turn.chatbot_id).update(workspace=foreign_turn.workspace_id)
    with pytest.raises(IntegrityError, match="same_workspace"):
        check_constraints_now()


def test_conversation_has_one_running_turn(own_turn: Turn) -> None:
    with pytest.raises(IntegrityError, match="conversations_one_running_turn"):
        copy(own_turn)


def test_turn_has_one_message_per_role(own_turn: Turn) -> None:
    with pytest.raises(IntegrityError, match="conversations_one_message_a_role"):
        copy(Message.objects.get(turn=own_turn))
