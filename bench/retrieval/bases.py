"""Knowledge bases whose passages and vectors are given, without indexing."""

import hashlib
from collections.abc import Sequence

from django.contrib.postgres.search import SearchVectorField
from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Cast
from django.utils import timezone

from apps.chatbots.models import EmbeddingModel
from apps.core.ids import new_id
from apps.core.search_words import build_tsvector
from apps.knowledge.models import (
    Chunk,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceType,
)
from apps.llm.tokens import estimate_tokens
from apps.workspaces.models import Workspace
from bench.retrieval.vectors import Vector


@transaction.atomic
def make_base(
    workspace: Workspace, model: EmbeddingModel, passages: Sequence[str], vectors: Sequence[Vector]
) -> tuple[KnowledgeBase, list[str]]:
    """A base with a source whose documents are the passages, each one chunk. Returns their ids."""
    base = KnowledgeBase.objects.create(workspace=workspace, name="bench", embedding_model=model)
    source = Source.objects.create(
        workspace=workspace, knowledge_base=base, type=SourceType.TEXT, title="bench", due_at=None
    )
    generation = Generation.objects.create(
        workspace=workspace, source=source, finished_at=timezone.now()
    )
    shared = {"workspace": workspace, "generation": generation}
    documents = Document.objects.bulk_create(
        Document(**shared, position=number, status="ready") for number in range(len(passages))
    )
    chunks = [
        Chunk(
            **shared,
            id=new_id(),
            knowledge_base=base,
            document=document,
            position=0,
            text=passage,
            tokens=estimate_tokens(passage),
            digest=hashlib.sha256(passage.encode()).hexdigest(),
            words=Cast(Value(build_tsvector(passage)), SearchVectorField()),
        )
        for document, passage in zip(documents, passages, strict=True)
    ]
    Chunk.objects.bulk_create(chunks)
    ChunkVector.objects.bulk_create(
        ChunkVector(
            **shared,
            knowledge_base=base,
            chunk=chunk,
            embedding_model=model,
            embedding=list(vector),
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
    Source.objects.filter(id=source.id).update(
        live_generation_id=generation.id, chunks=len(chunks), status="ready"
    )
    return base, [chunk.id for chunk in chunks]


def analyze() -> None:
    """Give the planner statistics, as autovacuum would soon."""
    with connection.cursor() as cursor:
        for table in ("source", "document", "chunk", "chunkvector", "knowledgebase"):
            cursor.execute(f"ANALYZE knowledge_{table}")
