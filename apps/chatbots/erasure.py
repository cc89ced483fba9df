"""Erasure of the chatbots of a deleted workspace."""

from apps.chatbots.models import Chatbot, ChatbotVersion


def erase_workspace(workspace_id: str) -> None:
    """Deactivate the chatbots and delete their names, prompts and versions.

    Their rows stay, because turns refer to them.
    """
    Chatbot.objects.filter(workspace_id=workspace_id).update(
        is_active=False, name="Deleted chatbot", system_prompt=""
    )
    ChatbotVersion.objects.filter(workspace_id=workspace_id).delete()
