"""PostgreSQL rejects leads and citations that refer to rows of another workspace."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from apps.conversations.models import Conversation
from apps.leads.models import CapturedField, Lead, Reading
from tests.conversations.test_workspace_boundaries import check_constraints_now, copy
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_scanned_conversation, make_turn


@pytest.fixture
def mine(team: Team) -> Conversation:
    return make_scanned_conversation(make_chatbot(team.workspace), "ana@example.com")


@pytest.fixture
def theirs(team: Team) -> Conversation:
    return make_scanned_conversation(make_chatbot(team.other_workspace), "eve@example.com")


@pytest.mark.parametrize("column", ["chatbot_id", "conversation_id"])
def test_lead_stays_in_its_workspace(mine: Conversation, theirs: Conversation, column: str) -> None:
    lead = Lead.objects.get(conversation=mine)
    other = {"chatbot_id": theirs.chatbot_id, "conversation_id": theirs.id}[column]
    copy(lead, email="bea@example.com", metadata="{}")
    with pytest.raises(IntegrityError, match="same_workspace"):
        copy(lead, **{"email": "cat@example.com", "metadata": "{}", column: other})


@pytest.mark.parametrize("column", ["lead_id", "message_id"])
def test_citation_stays_in_its_workspace(
    mine: Conversation, theirs: Conversation, column: str
) -> None:
    cited = CapturedField.objects.get(lead__conversation=mine)
    foreign = CapturedField.objects.get(lead__conversation=theirs)
    with pytest.raises(IntegrityError, match="same_workspace"):
        copy(cited, **{column: getattr(foreign, column)})


def test_reading_stays_in_its_workspace(mine: Conversation, theirs: Conversation) -> None:
    turn = make_turn(theirs.chatbot, "Hello")
    Reading.objects.create(turn=turn, workspace_id=mine.workspace_id)
    with pytest.raises(IntegrityError, match="same_workspace"):
        check_constraints_now()
