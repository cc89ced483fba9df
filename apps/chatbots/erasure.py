"""What becomes of the chatbots of a workspace that is deleted."""

from __future__ import annotations

from apps.chatbots.models import Chatbot, ChatbotVersion


def erase(workspace_id: str) -> None:
    """Switch the chatbots off and forget what they were told. The rows stay: turns name them."""
    ChatbotVersion.objects.filter(workspace_id=workspace_id).delete()
    Chatbot.objects.filter(workspace_id=workspace_id).update(
        is_active=False, name="Deleted chatbot", system_prompt=""
    )
