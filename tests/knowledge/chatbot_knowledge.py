"""Chatbots with an indexed knowledge base."""

from __future__ import annotations

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.knowledge.services.sources import add_text
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
