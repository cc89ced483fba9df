"""Many rows of knowledge, for the lists of pages."""

from __future__ import annotations

from apps.core.ids import new_id
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    Chunk,
    Document,
    DocumentStatus,
    KnowledgeBase,
    Source,
)
from apps.knowledge.queries import live_chunks


def add_knowledge_rows(source: Source, rows: int) -> None:
    """Add so many bases of the same chatbots, sources, documents and chunks beside this one's."""
    base, workspace = source.knowledge_base, source.workspace
    chatbot_id = ChatbotKnowledgeBase.objects.get(knowledge_base=base).chatbot_id
    bases = KnowledgeBase.objects.bulk_create(
        KnowledgeBase(
            workspace=workspace, name=f"Base {new_id()}", embedding_model=base.embedding_model
        )
        for _ in range(rows)
    )
    ChatbotKnowledgeBase.objects.bulk_create(
        ChatbotKnowledgeBase(workspace=workspace, chatbot_id=chatbot_id, knowledge_base=each)
        for each in bases
    )
    Source.objects.bulk_create(
        Source(
            workspace=workspace,
            knowledge_base=each,
            type="page",
            title=f"Page {new_id()}",
            url="https://example.com/page",
            status="failed",
            status_reason="The site answered 403 to our user agent.",
            due_at=None,
        )
        for each in (*bases, *[base] * rows)
    )
    first = live_chunks(source)[0]
    start = Document.objects.filter(generation_id=source.live_generation_id).count()
    documents = Document.objects.bulk_create(
        Document(
            workspace=workspace,
            generation_id=str(source.live_generation_id),
            position=start + number,
            url="https://example.com/page",
            title=f"Page {number}",
            status=DocumentStatus.READY,
        )
        for number in range(rows)
    )
    Chunk.objects.bulk_create(
        Chunk(
            workspace=workspace,
            knowledge_base=base,
            generation_id=str(source.live_generation_id),
            document=document,
            position=0,
            heading_path=["Shop", "Delivery"],
            text="We deliver on Mondays.",
            tokens=5,
            digest=first.digest,
            words=first.words,
        )
        for document in documents
    )
