"""Queries for chatbots and the catalogue of models."""

from typing import cast

from django.db.models import QuerySet

from apps.chatbots.errors import (
    ChatbotNotFound,
    ChatbotVersionNotFound,
    LanguageModelNotFound,
)
from apps.chatbots.models import Chatbot, ChatbotVersion, EmbeddingModel, LanguageModel
from apps.infrastructure.postgres.rows import first_or_raise
from apps.llm.types import ProviderKind


def get_active_chatbot(workspace_id: str, chatbot_id: str) -> Chatbot:
    """Return the workspace's active chatbot, with its language model. Raises ChatbotNotFound.

    Runs the same single query whether the chatbot is absent, inactive or another workspace's.
    """
    return first_or_raise(active_chatbot(workspace_id, chatbot_id), ChatbotNotFound)


def active_chatbot(workspace_id: str, chatbot_id: str) -> QuerySet[Chatbot]:
    """Return the query of `get_active_chatbot`: one chatbot or none."""
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id, id=chatbot_id, is_active=True)
    return chatbots.select_related("language_model")


def chatbots_for(workspace_id: str) -> QuerySet[Chatbot]:
    """Return the workspace's chatbots by name: inactive ones included, deleted ones not."""
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id, deleted_at=None)
    return chatbots.order_by("name", "id")


def get_chatbot(workspace_id: str, chatbot_id: str) -> Chatbot:
    """Return the workspace's chatbot, active or not. Raises ChatbotNotFound."""
    return first_or_raise(chatbots_for(workspace_id).filter(id=chatbot_id), ChatbotNotFound)


def versions_for(chatbot: Chatbot) -> QuerySet[ChatbotVersion]:
    """Return the chatbot's versions, newest first."""
    versions = ChatbotVersion.objects.filter(workspace_id=chatbot.workspace_id, chatbot=chatbot)
    return versions.order_by("-created_at", "-id")


def get_version(chatbot: Chatbot, version_id: str) -> ChatbotVersion:
    """Return the chatbot's version with this id. Raises ChatbotVersionNotFound."""
    return first_or_raise(versions_for(chatbot).filter(id=version_id), ChatbotVersionNotFound)


def active_language_models() -> QuerySet[LanguageModel]:
    """Return the language models that a chatbot can be given."""
    return LanguageModel.objects.filter(is_active=True)


def get_language_model(language_model_id: str) -> LanguageModel:
    """Return the active language model with this id. Raises LanguageModelNotFound."""
    models = active_language_models().filter(id=language_model_id)
    return first_or_raise(models, LanguageModelNotFound)


def active_chatbots_for(workspace_id: str) -> list[Chatbot]:
    """Return the workspace's active chatbots, oldest first."""
    chatbots = Chatbot.objects.filter(workspace_id=workspace_id, is_active=True)
    return list(chatbots.order_by("created_at", "id"))


def get_language_model_by_name(name: str) -> LanguageModel:
    """Return the active language model with this name. Raises ValueError."""
    model = active_language_models().filter(name=name).first()
    if model is None:
        raise ValueError(f"There is no active language model {name!r}. Add it with add_model.")
    return model


def providers_in_use() -> set[ProviderKind]:
    """Return the provider kinds of all active language and embedding models."""
    kinds = active_language_models().order_by().values_list("provider", flat=True)
    others = active_embedding_models().order_by().values_list("provider", flat=True)
    return cast("set[ProviderKind]", set(kinds.union(others)))


def active_embedding_models() -> QuerySet[EmbeddingModel]:
    """Return the embedding models that a knowledge base can be given."""
    return EmbeddingModel.objects.filter(is_active=True)


def get_embedding_model_by_name(name: str) -> EmbeddingModel:
    """Return the active embedding model with this public name. Raises ValueError."""
    model = active_embedding_models().filter(name=name).first()
    if model is None:
        raise ValueError(
            f"There is no active embedding model {name!r}. Add it with add_embedding_model."
        )
    return model


def default_embedding_model() -> EmbeddingModel | None:
    """Return the model of new knowledge bases."""
    return active_embedding_models().filter(is_default=True).first()
