"""Chatbots, their versions and the catalogue over REST: parse, call, format."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Status

from apps.api_keys.authentication import ApiKeyAuth, actor_in, caller_in
from apps.api_keys.models import Scope
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
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


@router.get("/chatbots", auth=READ, response=SuccessSchema[ChatbotPage])
def list_chatbots(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[ChatbotPage]:
    """The workspace's chatbots, newest first."""
    found = chatbots_of(caller_in(request).workspace_id)
    page = paginate_newest_first(found, cursor=cursor, limit=limit)
    rows = [ChatbotOut.of(chatbot) for chatbot in page.rows]
    return SuccessSchema(data=ChatbotPage(chatbots=rows, next_cursor=page.next_cursor))


@router.post("/chatbots", auth=MANAGE, response={201: SuccessSchema[ChatbotOut]})
def create_chatbot(request: HttpRequest, body: NewChatbot) -> Status[SuccessSchema[ChatbotOut]]:
    """A new chatbot, at version 1."""
    chatbot = Chatbot(workspace_id=caller_in(request).workspace_id, **body.model_dump())
    services.add_chatbot(chatbot=chatbot, actor=actor_in(request))
    return Status(201, SuccessSchema(data=ChatbotOut.of(chatbot)))


@router.get("/chatbots/{chatbot_id}", auth=READ, response=SuccessSchema[ChatbotOut])
def get_chatbot(request: HttpRequest, chatbot_id: str) -> SuccessSchema[ChatbotOut]:
    """One chatbot, active or not."""
    return SuccessSchema(data=ChatbotOut.of(_chatbot(request, chatbot_id)))


@router.patch("/chatbots/{chatbot_id}", auth=MANAGE, response=SuccessSchema[ChatbotOut])
def update_chatbot(
    request: HttpRequest, chatbot_id: str, body: ChatbotChanges
) -> SuccessSchema[ChatbotOut]:
    """Change the fields that are given, which makes a version if one of them is new."""
    chatbot = services.update_chatbot(
        chatbot=_chatbot(request, chatbot_id),
        actor=actor_in(request),
        changes=body.model_dump(exclude_unset=True),
    )
    return SuccessSchema(data=ChatbotOut.of(chatbot))


@router.delete("/chatbots/{chatbot_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_chatbot(request: HttpRequest, chatbot_id: str) -> SuccessSchema[DeletedSchema]:
    """End a chatbot: nobody talks to it any more. Its conversations and leads stay."""
    services.delete_chatbot(chatbot=_chatbot(request, chatbot_id), actor=actor_in(request))
    return SuccessSchema(data=DeletedSchema(id=chatbot_id))


@router.get("/chatbots/{chatbot_id}/versions", auth=READ, response=SuccessSchema[VersionPage])
def list_chatbot_versions(
    request: HttpRequest, chatbot_id: str, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[VersionPage]:
    """What the chatbot was set to, newest first: who changed what, and when."""
    found = versions_of(_chatbot(request, chatbot_id))
    page = paginate_newest_first(found, cursor=cursor, limit=limit)
    rows = [VersionOut.of(version) for version in page.rows]
    return SuccessSchema(data=VersionPage(versions=rows, next_cursor=page.next_cursor))


@router.get(
    "/chatbots/{chatbot_id}/versions/{version_id}", auth=READ, response=SuccessSchema[VersionOut]
)
def get_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> SuccessSchema[VersionOut]:
    """One version of the chatbot."""
    version = version_with(_chatbot(request, chatbot_id), version_id)
    return SuccessSchema(data=VersionOut.of(version))


@router.post(
    "/chatbots/{chatbot_id}/versions/{version_id}/restore",
    auth=MANAGE,
    response=SuccessSchema[ChatbotOut],
)
def restore_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> SuccessSchema[ChatbotOut]:
    """Set the chatbot as it was at that version. That is a change, and makes a new version."""
    chatbot = _chatbot(request, chatbot_id)
    version = version_with(chatbot, version_id)
    restored = services.restore_version(chatbot=chatbot, version=version, actor=actor_in(request))
    return SuccessSchema(data=ChatbotOut.of(restored))


@catalogue.get("/language-models", auth=READ, response=SuccessSchema[LanguageModelPage])
def list_language_models(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[LanguageModelPage]:
    """The language models that a chatbot can be given, with their prices, newest first."""
    page = paginate_newest_first(language_models(), cursor=cursor, limit=limit)
    rows = [LanguageModelOut.of(model) for model in page.rows]
    return SuccessSchema(data=LanguageModelPage(language_models=rows, next_cursor=page.next_cursor))


@catalogue.get(
    "/language-models/{language_model_id}", auth=READ, response=SuccessSchema[LanguageModelOut]
)
def get_language_model(
    request: HttpRequest, language_model_id: str
) -> SuccessSchema[LanguageModelOut]:
    """One language model, with its price."""
    return SuccessSchema(data=LanguageModelOut.of(language_model_with(language_model_id)))


def _chatbot(request: HttpRequest, chatbot_id: str) -> Chatbot:
    return chatbot_with(caller_in(request).workspace_id, chatbot_id)
