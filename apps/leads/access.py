"""From what a request names to what it may use, or the same 404."""

from __future__ import annotations

from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.queries import chatbots_for
from apps.core.ids import is_id
from apps.leads.models import Lead
from apps.leads.queries import lead_with


def chatbot_id_in(workspace_id: str, chatbot_id: str) -> str:
    """The id of the workspace's chatbot; an inactive one keeps its leads.

    Raises ChatbotNotFound.
    """
    if not is_id(chatbot_id) or not chatbots_for(workspace_id).filter(id=chatbot_id).exists():
        raise ChatbotNotFound
    return chatbot_id


def lead_in(workspace_id: str, lead_id: str, *, chatbot_id: str | None) -> Lead:
    """The workspace's lead, of this chatbot if one is named. Raises ChatbotNotFound or
    LeadNotFound."""
    if chatbot_id is not None:
        chatbot_id_in(workspace_id, chatbot_id)
    return lead_with(workspace_id, lead_id, chatbot_id=chatbot_id)
