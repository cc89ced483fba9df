"""Reads of chatbots and of the catalogue."""

from __future__ import annotations

from typing import cast

from django.db.models import QuerySet

from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot, LanguageModel
from apps.llm.types import ProviderKind


def active_chatbot(workspace_id: str, chatbot_id: str) -> Chatbot:
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


def chatbots_of(workspace_id: str) -> QuerySet[Chatbot]:
    """The workspace's chatbots, inactive ones too, by name."""
    return Chatbot.objects.filter(workspace_id=workspace_id).order_by("name", "id")


def active_chatbots(workspace_id: str) -> list[Chatbot]:
    """The workspace's active chatbots, oldest first."""
    found = Chatbot.objects.filter(workspace_id=workspace_id, is_active=True)
    return list(found.order_by("created_at", "id"))


def active_language_model(name: str) -> LanguageModel:
    """The catalogue's entry of this name. Raises ValueError where there is none to choose."""
    model = LanguageModel.objects.filter(name=name, is_active=True).first()
    if model is None:
        raise ValueError(f"There is no active language model {name!r}. Add it with add_model.")
    return model


def providers_in_use() -> set[ProviderKind]:
    """The kinds of provider that the catalogue's active entries need."""
    kinds = LanguageModel.objects.filter(is_active=True).values_list("provider", flat=True)
    return cast("set[ProviderKind]", set(kinds.distinct()))
