"""Knowledge bases, and sources with everything that indexing makes of them, for tests."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.postgres.search import SearchVector
from django.db.models import Value
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    Chunk,
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceFile,
    UnchargedEmbedding,
)
from apps.knowledge.services.bases import create_knowledge_base
from apps.workspaces.models import Workspace


def make_knowledge_base(workspace: Workspace, name: str = "Shop", **fields: Any) -> KnowledgeBase:
    return create_knowledge_base(workspace_id=workspace.id, name=name, actor=SYSTEM, **fields)


def make_knowledge(chatbot: Chatbot, *, text: str) -> Source:
    """A source of one chunk in a knowledge base of the chatbot, with rows in every table."""
    workspace = chatbot.workspace
    base = make_knowledge_base(workspace)
    ChatbotKnowledgeBase.objects.create(workspace=workspace, chatbot=chatbot, knowledge_base=base)
    source = Source.objects.create(
        workspace=workspace, knowledge_base=base, type="file", title=text, due_at=None
    )
    SourceFile.objects.create(
        source=source, workspace=workspace, name=text, size=len(text), body=text.encode()
    )
    generation = Generation.objects.create(
        workspace=workspace, source=source, finished_at=timezone.now()
    )
    document = Document.objects.create(
        workspace=workspace, generation=generation, position=0, title=text, status="ready"
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    chunk = Chunk.objects.create(
        workspace=workspace,
        knowledge_base=base,
        generation=generation,
        document=document,
        position=0,
        text=text,
        tokens=1,
        digest=digest,
        words=SearchVector(Value(text), config="simple"),
    )
    ChunkVector.objects.create(
        workspace=workspace,
        knowledge_base=base,
        generation=generation,
        chunk=chunk,
        embedding_model=base.embedding_model,
        embedding=[1.0] + [0.0] * (base.embedding_model.dimensions - 1),
    )
    ChunkOverride.objects.create(
        workspace=workspace, source=source, digest=digest, text=text, original_text=text
    )
    UnchargedEmbedding.objects.create(
        workspace=workspace,
        knowledge_base=base,
        embedding_model=base.embedding_model,
        credits_per_1k_tokens=1,
        tokens=1,
    )
    Source.objects.filter(id=source.id).update(
        status="ready", live_generation_id=generation.id, chunks=1, tokens=1
    )
    source.refresh_from_db()
    return source
