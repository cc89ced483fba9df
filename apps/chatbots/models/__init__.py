from apps.chatbots.models.chatbots import (
    DEFAULT_PROMPT,
    MAX_PROMPT_LENGTH,
    Chatbot,
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
    "DEFAULT_PROMPT",
    "MAX_PROMPT_LENGTH",
    "Chatbot",
    "ChatbotVersion",
    "EmbeddingModel",
    "LanguageModel",
    "LeadCapture",
    "PriceChange",
    "validate_key_variable",
]
