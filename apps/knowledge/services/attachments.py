"""Attach knowledge bases to chatbots."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.services import Actor, record_change
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from apps.infrastructure.postgres.rows import first_or_raise
from apps.infrastructure.redis.cache_invalidation import invalidate_on_commit
from apps.knowledge.models import ChatbotKnowledgeBase, KnowledgeBase
from apps.knowledge.queries import knowledge_bases_for

MAX_ATTACHED = 20
"""Knowledge bases of one chatbot: all of them are searched for every question."""


@transaction.atomic
def set_chatbot_knowledge_bases(
    *, chatbot: Chatbot, base_ids: Collection[str], actor: Actor
) -> list[KnowledgeBase]:
    """Attach these knowledge bases to a chatbot, and no others. Return them by name.

    Raises ValidationError if one of them is not the workspace's, or there are more than
    MAX_ATTACHED; ChatbotNotFound if the chatbot was deleted meanwhile.
    """
    wanted = set(base_ids)
    if len(wanted) > MAX_ATTACHED:
        raise ValidationError({"knowledge_base_ids": f"Attach at most {MAX_ATTACHED}."})
    chatbots = chatbots_for(chatbot.workspace_id).filter(id=chatbot.id)
    first_or_raise(chatbots.select_for_update(no_key=True), ChatbotNotFound)
    # Locked, so that none of them is deleted meanwhile.
    rows = knowledge_bases_for(chatbot.workspace_id).filter(id__in=wanted).order_by("id")
    bases = {base.id: base for base in rows.select_for_update(no_key=True, of=("self",))}
    if wanted - bases.keys():
        raise ValidationError({"knowledge_base_ids": "There is no such knowledge base to attach."})
    attached = ChatbotKnowledgeBase.objects.filter(
        workspace_id=chatbot.workspace_id, chatbot_id=chatbot.id
    )
    present = set(attached.values_list("knowledge_base_id", flat=True))
    if present != wanted:
        attached.exclude(knowledge_base_id__in=wanted).delete()
        ChatbotKnowledgeBase.objects.bulk_create(
            ChatbotKnowledgeBase(
                workspace_id=chatbot.workspace_id, chatbot_id=chatbot.id, knowledge_base_id=base_id
            )
            for base_id in sorted(wanted - present)
        )
        record_change(
            chatbot,
            actor=actor,
            action="chatbot.knowledge_bases_changed",
            knowledge_bases=sorted(wanted),
        )
        invalidate_on_commit()
    return sorted(bases.values(), key=lambda base: (base.name, base.id))
