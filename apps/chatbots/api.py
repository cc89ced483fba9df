"""Chatbots, their versions and the catalogue over REST: parse, call, format."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Status

from apps.api_keys.authentication import ApiKeyAuth, actor_in, caller_in
from apps.api_keys.models import Scope
from apps.api_kit.pagination import newest_first
from apps.api_kit.schemas import Cursor, Deleted, Limit, Success
from apps.chatbots import services
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import (
    chatbot_with,
    chatbots_of,
    language_model_with,
    language_models,
    version_with,
    versions_of,
)
from apps.chatbots.schemas import (
    ChatbotChanges,
    ChatbotOut,
    ChatbotPage,
    LanguageModelOut,
    LanguageModelPage,
    NewChatbot,
    VersionOut,
    VersionPage,
)

router = Router(tags=["chatbots"], by_alias=True)
catalogue = Router(tags=["language models"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)


@router.get("/chatbots", auth=READ, response=Success[ChatbotPage])
def list_chatbots(
    request: HttpRequest, limit: Limit = 50, cursor: Cursor = None
) -> Success[ChatbotPage]:
    """The workspace's chatbots, newest first."""
    found = chatbots_of(caller_in(request).workspace_id)
    page = newest_first(found, cursor=cursor, limit=limit)
    rows = [ChatbotOut.of(chatbot) for chatbot in page.rows]
    return Success(data=ChatbotPage(chatbots=rows, next_cursor=page.next_cursor))


@router.post("/chatbots", auth=MANAGE, response={201: Success[ChatbotOut]})
def create_chatbot(request: HttpRequest, body: NewChatbot) -> Status[Success[ChatbotOut]]:
    """A new chatbot, at version 1."""
    chatbot = Chatbot(workspace_id=caller_in(request).workspace_id, **body.model_dump())
    services.add_chatbot(chatbot=chatbot, actor=actor_in(request))
    return Status(201, Success(data=ChatbotOut.of(chatbot)))


@router.get("/chatbots/{chatbot_id}", auth=READ, response=Success[ChatbotOut])
def get_chatbot(request: HttpRequest, chatbot_id: str) -> Success[ChatbotOut]:
    """One chatbot, active or not."""
    return Success(data=ChatbotOut.of(_chatbot(request, chatbot_id)))


@router.patch("/chatbots/{chatbot_id}", auth=MANAGE, response=Success[ChatbotOut])
def update_chatbot(
    request: HttpRequest, chatbot_id: str, body: ChatbotChanges
) -> Success[ChatbotOut]:
    """Change the fields that are given, which makes a version if one of them is new."""
    chatbot = services.update_chatbot(
        chatbot=_chatbot(request, chatbot_id),
        actor=actor_in(request),
        changes=body.model_dump(exclude_unset=True),
    )
    return Success(data=ChatbotOut.of(chatbot))


@router.delete("/chatbots/{chatbot_id}", auth=MANAGE, response=Success[Deleted])
def delete_chatbot(request: HttpRequest, chatbot_id: str) -> Success[Deleted]:
    """End a chatbot: nobody talks to it any more. Its conversations and leads stay."""
    services.delete_chatbot(chatbot=_chatbot(request, chatbot_id), actor=actor_in(request))
    return Success(data=Deleted(id=chatbot_id))


@router.get("/chatbots/{chatbot_id}/versions", auth=READ, response=Success[VersionPage])
def list_chatbot_versions(
    request: HttpRequest, chatbot_id: str, limit: Limit = 50, cursor: Cursor = None
) -> Success[VersionPage]:
    """What the chatbot was set to, newest first: who changed what, and when."""
    found = versions_of(_chatbot(request, chatbot_id))
    page = newest_first(found, cursor=cursor, limit=limit)
    rows = [VersionOut.of(version) for version in page.rows]
    return Success(data=VersionPage(versions=rows, next_cursor=page.next_cursor))


@router.get("/chatbots/{chatbot_id}/versions/{version_id}", auth=READ, response=Success[VersionOut])
def get_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> Success[VersionOut]:
    """One version of the chatbot."""
    version = version_with(_chatbot(request, chatbot_id), version_id)
    return Success(data=VersionOut.of(version))


@router.post(
    "/chatbots/{chatbot_id}/versions/{version_id}/restore",
    auth=MANAGE,
    response=Success[ChatbotOut],
)
def restore_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> Success[ChatbotOut]:
    """Set the chatbot as it was at that version. That is a change, and makes a new version."""
    chatbot = _chatbot(request, chatbot_id)
    version = version_with(chatbot, version_id)
    restored = services.restore_version(chatbot=chatbot, version=version, actor=actor_in(request))
    return Success(data=ChatbotOut.of(restored))


@catalogue.get("/language-models", auth=READ, response=Success[LanguageModelPage])
def list_language_models(
    request: HttpRequest, limit: Limit = 50, cursor: Cursor = None
) -> Success[LanguageModelPage]:
    """The language models that a chatbot can be given, with their prices, newest first."""
    page = newest_first(language_models(), cursor=cursor, limit=limit)
    rows = [LanguageModelOut.of(model) for model in page.rows]
    return Success(data=LanguageModelPage(language_models=rows, next_cursor=page.next_cursor))


@catalogue.get(
    "/language-models/{language_model_id}", auth=READ, response=Success[LanguageModelOut]
)
def get_language_model(request: HttpRequest, language_model_id: str) -> Success[LanguageModelOut]:
    """One language model, with its price."""
    return Success(data=LanguageModelOut.of(language_model_with(language_model_id)))


def _chatbot(request: HttpRequest, chatbot_id: str) -> Chatbot:
    return chatbot_with(caller_in(request).workspace_id, chatbot_id)
