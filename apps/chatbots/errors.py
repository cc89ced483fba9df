from __future__ import annotations

from apps.core.errors import NotFound


class ChatbotNotFound(NotFound):
    """Absent, inactive, or another workspace's: the same answer."""

    code = "CHATBOT_NOT_FOUND"
    message = "Chatbot not found or access denied"


class ChatbotVersionNotFound(NotFound):
    """Absent, of another chatbot, or another workspace's: the same answer."""

    code = "CHATBOT_VERSION_NOT_FOUND"
    message = "Chatbot version not found or access denied"


class LanguageModelNotFound(NotFound):
    """Absent, or not to be chosen any more: the same answer."""

    code = "LANGUAGE_MODEL_NOT_FOUND"
    message = "Language model not found"
