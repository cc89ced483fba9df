"""Erasure of the chatbots of a deleted workspace."""

from apps.chatbots.models import DEFAULT_NOT_FOUND_REPLY, Chatbot, ChatbotVersion


def erase_workspace(workspace_id: str) -> None:
    """Clear the chatbots' names, prompts and versions. The rows stay: turns refer to them."""
    Chatbot.objects.filter(workspace_id=workspace_id).update(
        is_active=False,
        name="Deleted chatbot",
        system_prompt="",
        knowledge_not_found_reply=DEFAULT_NOT_FOUND_REPLY,
    )
    ChatbotVersion.objects.filter(workspace_id=workspace_id).delete()
