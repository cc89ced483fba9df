"""Knowledge bases, and sources with everything that indexing makes of them, for tests."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.postgres.search import SearchVector
from django.db.models import Value
from django.utils import timezone

from apps.chatbots.models import Chatbot, EmbeddingModel
from apps.core.ids import new_id
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
)
from apps.workspaces.models import Workspace


def make_embedding_model(**fields: Any) -> EmbeddingModel:
    """A sandbox model, unless other fields are given."""
    defaults = {
        "name": f"Embedding model {new_id()}",
        "litellm_model": "sandbox/embed",
        "provider": "sandbox",
        "provider_model": "sandbox/embed",
        "dimensions": 64,
    }
    return EmbeddingModel.objects.create(**defaults | fields)


def make_knowledge_base(workspace: Workspace, **fields: Any) -> KnowledgeBase:
    fields.setdefault("embedding_model", None)
    model = fields.pop("embedding_model") or make_embedding_model()
    return KnowledgeBase.objects.create(
        workspace=workspace, embedding_model=model, **{"name": "Shop"} | fields
    )


def make_knowledge(chatbot: Chatbot, *, text: str) -> Source:
    """A source of one chunk in a knowledge base of the chatbot, with rows in every table."""
    workspace = chatbot.workspace
    base = make_knowledge_base(workspace, name=text)
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
    ChunkOverride.objects.create(workspace=workspace, source=source, digest=digest, text=text)
    Source.objects.filter(id=source.id).update(
        status="ready", live_generation_id=generation.id, chunks=1, tokens=1
    )
    source.refresh_from_db()
    return source
