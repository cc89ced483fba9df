"""Reads of chatbots and of the catalogue."""

from __future__ import annotations

from typing import cast

from django.db.models import QuerySet

from apps.chatbots.errors import (
    ChatbotNotFound,
    ChatbotVersionNotFound,
    LanguageModelNotFound,
)
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel
from apps.llm.types import ProviderKind


def get_active_chatbot(workspace_id: str, chatbot_id: str) -> Chatbot:
    """The workspace's active chatbot, with its language model. Raises ChatbotNotFound.

    One look-up whether the chatbot is absent, inactive or another workspace's.
    """
    chatbot = (
        Chatbot.objects.select_related("language_model")
        .filter(workspace_id=workspace_id, id=chatbot_id, is_active=True)
        .first()
    )
    if chatbot is None:
        raise ChatbotNotFound
    return chatbot


def chatbots_for(workspace_id: str) -> QuerySet[Chatbot]:
    """The workspace's chatbots, inactive ones too and deleted ones not, by name."""
    found = Chatbot.objects.filter(workspace_id=workspace_id, deleted_at=None)
    return found.order_by("name", "id")


def get_chatbot(workspace_id: str, chatbot_id: str) -> Chatbot:
    """The workspace's chatbot, active or not. Raises ChatbotNotFound."""
    chatbot = chatbots_for(workspace_id).filter(id=chatbot_id).first()
    if chatbot is None:
        raise ChatbotNotFound
    return chatbot


def versions_for(chatbot: Chatbot) -> QuerySet[ChatbotVersion]:
    """What the chatbot was set to, newest first."""
    found = ChatbotVersion.objects.filter(workspace_id=chatbot.workspace_id, chatbot=chatbot)
    return found.order_by("-created_at", "-id")


def get_version(chatbot: Chatbot, version_id: str) -> ChatbotVersion:
    """The chatbot's version of this id. Raises ChatbotVersionNotFound."""
    version = versions_for(chatbot).filter(id=version_id).first()
    if version is None:
        raise ChatbotVersionNotFound
    return version


def active_language_models() -> QuerySet[LanguageModel]:
    """The catalogue's entries that can be chosen."""
    return LanguageModel.objects.filter(is_active=True)


def get_language_model(language_model_id: str) -> LanguageModel:
    """The entry of this id that can be chosen. Raises LanguageModelNotFound."""
    model = active_language_models().filter(id=language_model_id).first()
    if model is None:
        raise LanguageModelNotFound
    return model


def active_chatbots_for(workspace_id: str) -> list[Chatbot]:
    """The workspace's active chatbots, oldest first."""
    found = Chatbot.objects.filter(workspace_id=workspace_id, is_active=True)
    return list(found.order_by("created_at", "id"))


def get_language_model_by_name(name: str) -> LanguageModel:
    """The catalogue's entry of this name. Raises ValueError where there is none to choose."""
    model = LanguageModel.objects.filter(name=name, is_active=True).first()
    if model is None:
        raise ValueError(f"There is no active language model {name!r}. Add it with add_model.")
    return model


def providers_in_use() -> set[ProviderKind]:
    """The kinds of provider that the catalogue's active entries need."""
    kinds = LanguageModel.objects.filter(is_active=True).values_list("provider", flat=True)
    return cast("set[ProviderKind]", set(kinds.distinct()))
