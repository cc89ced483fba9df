from apps.chatbots.models.chatbots import (
    DEFAULT_NOT_FOUND_REPLY,
    DEFAULT_PROMPT,
    MAX_NOT_FOUND_REPLY_LENGTH,
    MAX_PROMPT_LENGTH,
    Chatbot,
    KnowledgeMode,
    LeadCapture,
)
from apps.chatbots.models.embedding_models import EmbeddingModel
from apps.chatbots.models.language_models import (
    LanguageModel,
    PriceChange,
    validate_key_variable,
)
from apps.chatbots.models.versions import ChatbotVersion

__all__ = [
    "DEFAULT_NOT_FOUND_REPLY",
    "DEFAULT_PROMPT",
    "MAX_NOT_FOUND_REPLY_LENGTH",
    "MAX_PROMPT_LENGTH",
    "Chatbot",
    "ChatbotVersion",
    "EmbeddingModel",
    "KnowledgeMode",
    "LanguageModel",
    "LeadCapture",
    "PriceChange",
    "validate_key_variable",
]
