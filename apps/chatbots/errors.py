from apps.core.errors import NotFound


class ChatbotNotFound(NotFound):
    """The chatbot does not exist, is inactive, or belongs to another workspace."""

    code = "CHATBOT_NOT_FOUND"
    message = "Chatbot not found or access denied"


class ChatbotVersionNotFound(NotFound):
    """The version does not exist, or belongs to another chatbot or workspace."""

    code = "CHATBOT_VERSION_NOT_FOUND"
    message = "Chatbot version not found or access denied"


class LanguageModelNotFound(NotFound):
    """The language model does not exist or is not active."""

    code = "LANGUAGE_MODEL_NOT_FOUND"
    message = "Language model not found"
