from __future__ import annotations

from apps.core.errors import NotFound


class ChatbotNotFound(NotFound):
    """Absent, inactive, or another workspace's: the same answer."""

    code = "CHATBOT_NOT_FOUND"
    sentence = "Chatbot not found or access denied"
