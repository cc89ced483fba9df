"""REST endpoints of chatbots, their versions and language models."""

from django.http import HttpRequest
from ninja import Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.pagination import paginate_newest_first
from apps.api_kit.schemas import DeletedSchema, PageCursor, PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots import queries, services
from apps.chatbots.models import Chatbot
from apps.chatbots.schemas import (
    ChatbotListSchema,
    ChatbotSchema,
    ChatbotVersionListSchema,
    ChatbotVersionSchema,
    CreateChatbotSchema,
    LanguageModelListSchema,
    LanguageModelSchema,
    UpdateChatbotSchema,
)
from apps.workspaces.errors import LimitReached

router = Router(tags=["chatbots"], by_alias=True)
catalogue = Router(tags=["language models"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)


@router.get("/chatbots", auth=READ, response=SuccessSchema[ChatbotListSchema])
def list_chatbots(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[ChatbotListSchema]:
    """The workspace's chatbots, newest first."""
    chatbots = queries.chatbots_for(get_caller(request).workspace_id)
    page = paginate_newest_first(chatbots, cursor=cursor, limit=limit)
    rows = [ChatbotSchema.from_row(chatbot) for chatbot in page.rows]
    return SuccessSchema(data=ChatbotListSchema(chatbots=rows, next_cursor=page.next_cursor))


@router.post(
    "/chatbots",
    auth=MANAGE,
    response={201: SuccessSchema[ChatbotSchema]},
    openapi_extra=raises(LimitReached),
)
def create_chatbot(
    request: HttpRequest, body: CreateChatbotSchema
) -> Status[SuccessSchema[ChatbotSchema]]:
    """Create a chatbot at version 1."""
    chatbot = Chatbot(workspace_id=get_caller(request).workspace_id, **body.model_dump())
    services.save_new_chatbot(chatbot=chatbot, actor=caller_actor(request))
    return Status(201, SuccessSchema(data=ChatbotSchema.from_row(chatbot)))


@router.get("/chatbots/{chatbot_id}", auth=READ, response=SuccessSchema[ChatbotSchema])
def get_chatbot(request: HttpRequest, chatbot_id: str) -> SuccessSchema[ChatbotSchema]:
    """One chatbot, active or not."""
    return SuccessSchema(data=ChatbotSchema.from_row(_chatbot(request, chatbot_id)))


@router.patch("/chatbots/{chatbot_id}", auth=MANAGE, response=SuccessSchema[ChatbotSchema])
def update_chatbot(
    request: HttpRequest, chatbot_id: str, body: UpdateChatbotSchema
) -> SuccessSchema[ChatbotSchema]:
    """Change the given fields. A new version is created if a value differs."""
    chatbot = services.update_chatbot(
        chatbot=_chatbot(request, chatbot_id),
        actor=caller_actor(request),
        changes=body.model_dump(exclude_unset=True),
    )
    return SuccessSchema(data=ChatbotSchema.from_row(chatbot))


@router.delete("/chatbots/{chatbot_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_chatbot(request: HttpRequest, chatbot_id: str) -> SuccessSchema[DeletedSchema]:
    """Delete a chatbot. It accepts no more requests; its conversations and leads stay."""
    services.delete_chatbot(chatbot=_chatbot(request, chatbot_id), actor=caller_actor(request))
    return SuccessSchema(data=DeletedSchema(id=chatbot_id))


@router.get(
    "/chatbots/{chatbot_id}/versions", auth=READ, response=SuccessSchema[ChatbotVersionListSchema]
)
def list_chatbot_versions(
    request: HttpRequest, chatbot_id: str, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[ChatbotVersionListSchema]:
    """The chatbot's versions, newest first: who changed what, and when."""
    versions = queries.versions_for(_chatbot(request, chatbot_id))
    page = paginate_newest_first(versions, cursor=cursor, limit=limit)
    rows = [ChatbotVersionSchema.from_version(version) for version in page.rows]
    return SuccessSchema(data=ChatbotVersionListSchema(versions=rows, next_cursor=page.next_cursor))


@router.get(
    "/chatbots/{chatbot_id}/versions/{version_id}",
    auth=READ,
    response=SuccessSchema[ChatbotVersionSchema],
)
def get_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> SuccessSchema[ChatbotVersionSchema]:
    """One version of the chatbot."""
    version = queries.get_version(_chatbot(request, chatbot_id), version_id)
    return SuccessSchema(data=ChatbotVersionSchema.from_version(version))


@router.post(
    "/chatbots/{chatbot_id}/versions/{version_id}/restore",
    auth=MANAGE,
    response=SuccessSchema[ChatbotSchema],
)
def restore_chatbot_version(
    request: HttpRequest, chatbot_id: str, version_id: str
) -> SuccessSchema[ChatbotSchema]:
    """Restore the chatbot's settings from this version. This creates a new version."""
    chatbot = _chatbot(request, chatbot_id)
    version = queries.get_version(chatbot, version_id)
    restored = services.restore_version(
        chatbot=chatbot, version=version, actor=caller_actor(request)
    )
    return SuccessSchema(data=ChatbotSchema.from_row(restored))


@catalogue.get("/language-models", auth=READ, response=SuccessSchema[LanguageModelListSchema])
def list_language_models(
    request: HttpRequest, limit: PageLimit = 50, cursor: PageCursor = None
) -> SuccessSchema[LanguageModelListSchema]:
    """The language models that a chatbot can use, with their prices, newest first."""
    page = paginate_newest_first(queries.active_language_models(), cursor=cursor, limit=limit)
    rows = [LanguageModelSchema.from_language_model(model) for model in page.rows]
    return SuccessSchema(
        data=LanguageModelListSchema(language_models=rows, next_cursor=page.next_cursor)
    )


@catalogue.get(
    "/language-models/{language_model_id}", auth=READ, response=SuccessSchema[LanguageModelSchema]
)
def get_language_model(
    request: HttpRequest, language_model_id: str
) -> SuccessSchema[LanguageModelSchema]:
    """One language model, with its price."""
    return SuccessSchema(
        data=LanguageModelSchema.from_language_model(queries.get_language_model(language_model_id))
    )


def _chatbot(request: HttpRequest, chatbot_id: str) -> Chatbot:
    return queries.get_chatbot(get_caller(request).workspace_id, chatbot_id)
