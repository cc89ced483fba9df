"""Leads and conversations for tests, made by the product's own services."""

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
from tests.turns.new_turns import completed, opened


def made(chatbot: Chatbot, **fields: Any) -> Lead:
    """A lead of the chatbot."""
    given = {"name": "Ana", "email": "ana@example.com", **fields}
    return create_lead(
        workspace_id=chatbot.workspace_id,
        chatbot_id=chatbot.id,
        fields=cast(LeadFields, given),
        actor=SYSTEM,
    )[0]


def said(chatbot: Chatbot, text: str, conversation: Conversation | None = None) -> Turn:
    """A turn in which the visitor said this, and got an answer."""
    turn = opened(chatbot, text=text, conversation_id=conversation.id if conversation else None)
    completed(turn)
    return turn


def read(chatbot: Chatbot, *texts: str) -> Conversation:
    """A conversation in which the visitor said these, each read for contact details."""
    conversation = None
    for text in texts:
        turn = said(chatbot, text, conversation)
        conversation = turn.conversation
        scan_turn(turn=turn)
    assert conversation is not None
    return conversation


def told(workspace: Workspace) -> list[tuple[str, dict[str, Any]]]:
    """The events about leads that the workspace was told of, oldest first, with their data."""
    found = Event.objects.filter(workspace=workspace, type__startswith="lead.")
    return list(found.order_by("id").values_list("type", "data"))
