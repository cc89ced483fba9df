"""Leads and conversations for tests, created by the product's services."""

from __future__ import annotations

from typing import Any, cast

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Turn
from apps.leads.capture import scan_turn
from apps.leads.fields import LeadFields
from apps.leads.models import Lead
from apps.leads.services import create_lead
from apps.webhooks.models import Event
from apps.workspaces.models import Workspace
from tests.turns.turn_factory import complete_turn, make_running_turn


def make_lead(chatbot: Chatbot, **fields: Any) -> Lead:
    """A lead of the chatbot."""
    fields = {"name": "Ana", "email": "ana@example.com", **fields}
    return create_lead(
        workspace_id=chatbot.workspace_id,
        chatbot_id=chatbot.id,
        fields=cast(LeadFields, fields),
        actor=SYSTEM,
    )[0]


def make_turn(chatbot: Chatbot, text: str, conversation: Conversation | None = None) -> Turn:
    """A completed turn with this message of the visitor."""
    turn = make_running_turn(
        chatbot, text=text, conversation_id=conversation.id if conversation else None
    )
    complete_turn(turn)
    return turn


def make_scanned_conversation(chatbot: Chatbot, *texts: str) -> Conversation:
    """A conversation with these messages of the visitor, each scanned for contact details."""
    conversation = None
    for text in texts:
        turn = make_turn(chatbot, text, conversation)
        conversation = turn.conversation
        scan_turn(turn=turn)
    assert conversation is not None
    return conversation


def lead_events(workspace: Workspace) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of the workspace's lead events, oldest first."""
    events = Event.objects.filter(workspace=workspace, type__startswith="lead.")
    return list(events.order_by("id").values_list("type", "data"))
