"""Changes to chatbots and to the catalogue."""

from __future__ import annotations

from typing import Any

from apps.chatbots.models import Chatbot, LanguageModel
from apps.llm.catalogue import resolve
from apps.workspaces.models import Workspace


def add_model(*, name: str, litellm_model: str, **fields: Any) -> LanguageModel:
    """A new catalogue entry. Raises ValidationError, or ValueError for an unknown model id."""
    return save_model(model=LanguageModel(name=name, litellm_model=litellm_model, **fields))


def save_model(*, model: LanguageModel) -> LanguageModel:
    """Work out who speaks to the model, check the entry and save it. Raises as `add_model`."""
    found = resolve(model.litellm_model, api_base=model.api_base, api_key_env=model.api_key_env)
    model.provider = found.provider
    model.provider_model = found.model
    model.api_base = found.api_base
    model.api_key_env = found.api_key_env
    model.supports_streaming = found.supports_streaming
    if found.context_tokens:
        model.context_tokens = found.context_tokens
    model.full_clean()
    model.save()
    return model


def create_chatbot(
    *, workspace: Workspace, name: str, language_model: LanguageModel, **fields: Any
) -> Chatbot:
    """A new chatbot of the workspace. Raises ValidationError."""
    chatbot = Chatbot(workspace=workspace, name=name, language_model=language_model, **fields)
    chatbot.full_clean()
    chatbot.save()
    return chatbot
