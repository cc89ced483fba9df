"""Resolve the ids of a request within its workspace, or raise a 404 error."""

from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.queries import chatbots_for
from apps.core.ids import is_id
from apps.leads.models import Lead
from apps.leads.queries import get_lead


def resolve_chatbot_id(workspace_id: str, chatbot_id: str) -> str:
    """Check that the workspace has the chatbot, active or not. Raises ChatbotNotFound."""
    if not is_id(chatbot_id) or not chatbots_for(workspace_id).filter(id=chatbot_id).exists():
        raise ChatbotNotFound
    return chatbot_id


def resolve_lead(workspace_id: str, lead_id: str, *, chatbot_id: str | None) -> Lead:
    """Return the workspace's lead, of this chatbot if given.

    Raises ChatbotNotFound or LeadNotFound.
    """
    if chatbot_id is not None:
        resolve_chatbot_id(workspace_id, chatbot_id)
    return get_lead(workspace_id, lead_id, chatbot_id=chatbot_id)
