"""REST endpoints of the knowledge bases that are attached to a chatbot."""

from django.http import HttpRequest

from apps.api_kit.authentication import get_caller
from apps.api_kit.openapi import raises
from apps.api_kit.schemas import SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import get_chatbot
from apps.knowledge.api.access import MANAGE, READ, new_router
from apps.knowledge.queries import knowledge_bases_of, with_counts
from apps.knowledge.schemas.attachments import (
    AttachedKnowledgeBasesSchema,
    AttachKnowledgeBasesSchema,
)
from apps.knowledge.schemas.bases import KnowledgeBaseSchema
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases

router = new_router()


@router.get(
    "/chatbots/{chatbot_id}/knowledge-bases",
    auth=READ,
    response=SuccessSchema[AttachedKnowledgeBasesSchema],
    openapi_extra=raises(ChatbotNotFound),
)
def get_attached_knowledge_bases(
    request: HttpRequest, chatbot_id: str
) -> SuccessSchema[AttachedKnowledgeBasesSchema]:
    """The knowledge bases that a chatbot answers from, by name."""
    return _attached(get_chatbot(get_caller(request).workspace_id, chatbot_id))


@router.put(
    "/chatbots/{chatbot_id}/knowledge-bases",
    auth=MANAGE,
    response=SuccessSchema[AttachedKnowledgeBasesSchema],
    openapi_extra=raises(ChatbotNotFound),
)
def set_attached_knowledge_bases(
    request: HttpRequest, chatbot_id: str, body: AttachKnowledgeBasesSchema
) -> SuccessSchema[AttachedKnowledgeBasesSchema]:
    """Attach these knowledge bases to a chatbot, and detach all others.

    The next message is answered from them, unless the chatbot's `knowledgeMode` is `off`.
    """
    chatbot = get_chatbot(get_caller(request).workspace_id, chatbot_id)
    set_chatbot_knowledge_bases(
        chatbot=chatbot, base_ids=body.knowledge_base_ids, actor=caller_actor(request)
    )
    return _attached(chatbot)


def _attached(chatbot: Chatbot) -> SuccessSchema[AttachedKnowledgeBasesSchema]:
    bases = [
        KnowledgeBaseSchema.from_base(base) for base in with_counts(knowledge_bases_of(chatbot))
    ]
    return SuccessSchema(data=AttachedKnowledgeBasesSchema(knowledge_bases=bases))
