"""Chatbots with an indexed knowledge base."""

from __future__ import annotations

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.knowledge.services.sources import add_text, update_source
from tests.knowledge.knowledge_factory import make_knowledge_base

RETURNS = "Parcels can be returned within 30 days. The return label is in the parcel."
OPENING = "The shop in Lisbon opens at nine and closes at six, and is closed on Sundays."
TEXTS = {"Returns": RETURNS, "Opening hours": OPENING}


def give_knowledge(chatbot: Chatbot, texts: dict[str, str] | None = None) -> KnowledgeBase:
    """Attach a knowledge base with these texts by title, indexed in this process."""
    base = make_knowledge_base(chatbot.workspace)
    for title, text in (TEXTS if texts is None else texts).items():
        add_text(base=base, title=title, text=text, actor=SYSTEM)
    index_sources(max_seconds=20)
    set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=SYSTEM)
    return base


def change_text(base: KnowledgeBase, text: str) -> None:
    """Give the base's only source another text, and index it again."""
    source = Source.objects.get(workspace_id=base.workspace_id, knowledge_base=base)
    update_source(source=source, actor=SYSTEM, changes={"text": text})
    index_sources(max_seconds=20)
