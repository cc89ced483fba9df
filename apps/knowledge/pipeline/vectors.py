"""Give chunks the vectors that they lack."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.chatbots.models import EmbeddingModel
from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.embedding import embed_passages
from apps.knowledge.models import Chunk, ChunkVector, Generation, Source
from apps.knowledge.pipeline.claiming import lock_claimed
from apps.knowledge.services.embedding_charges import (
    EmbeddingJob,
    record_tokens,
    require_credits,
)

CHUNKS_PER_STEP = 64
"""Chunks that are embedded between two commits."""
STEP_SECONDS = 120.0
"""The most that a step may take, within the time limit of a task."""

# A passage that the live generation has, too, keeps its vector: the texts are compared, because an
# edited chunk has the digest of the original.
_COPY = """
INSERT INTO knowledge_chunkvector
  (workspace_id, knowledge_base_id, generation_id, chunk_id, embedding_model_id, embedding)
SELECT DISTINCT ON (new.id) new.workspace_id, new.knowledge_base_id, new.generation_id, new.id,
  vector.embedding_model_id, vector.embedding
FROM knowledge_chunk AS new
JOIN knowledge_chunk AS live ON live.generation_id = %(live)s AND live.digest = new.digest
  AND live.text = new.text AND live.workspace_id = new.workspace_id
JOIN knowledge_chunkvector AS vector ON vector.chunk_id = live.id
  AND vector.embedding_model_id = %(model)s
WHERE new.workspace_id = %(workspace)s AND new.generation_id = %(generation)s
ON CONFLICT (chunk_id, embedding_model_id) DO NOTHING
"""


@transaction.atomic
def copy_live_vectors(source: Source, generation: Generation, embedding_model_id: str) -> None:
    """Copy the vectors of passages that have not changed. Raises ClaimLost."""
    locked = lock_claimed(source)
    if locked.live_generation_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _COPY,
            {
                "live": locked.live_generation_id,
                "model": embedding_model_id,
                "workspace": source.workspace_id,
                "generation": generation.id,
            },
        )


def embed_next(source: Source, generation: Generation, model: EmbeddingModel) -> int:
    """Embed some chunks of a generation that have no vector yet. Return how many.

    Raises ClaimLost; ProviderError if the model does not answer; IndexingFailed if the workspace
    has too few credits.
    """
    missing = chunks_without_vector(generation, model.id)
    chunks = list(missing.defer("words").order_by("id")[:CHUNKS_PER_STEP])
    if not chunks:
        return 0
    job = EmbeddingJob(source.workspace_id, source.knowledge_base_id, model, generation.id)
    require_credits(job, tokens=sum(chunk.tokens for chunk in chunks), remaining=missing)
    embedded = embed_chunks(model, chunks)
    with transaction.atomic():
        lock_claimed(source)
        ChunkVector.objects.bulk_create(embedded.vectors, ignore_conflicts=True)
        record_tokens(job, tokens=embedded.tokens)
    return len(chunks)


def chunks_without_vector(generation: Generation, embedding_model_id: str) -> QuerySet[Chunk]:
    """The generation's chunks that have no vector of the model."""
    vectors = ChunkVector.objects.filter(
        chunk=OuterRef("pk"), embedding_model_id=embedding_model_id
    )
    chunks = Chunk.objects.filter(workspace_id=generation.workspace_id, generation=generation)
    return chunks.filter(~Exists(vectors))


@dataclass(frozen=True, slots=True)
class EmbeddedChunks:
    """The vectors of chunks, not saved, and the tokens to charge."""

    vectors: list[ChunkVector]
    tokens: int


def embed_chunks(model: EmbeddingModel, chunks: Sequence[Chunk]) -> EmbeddedChunks:
    """Embed chunks. Raises ProviderError."""
    texts = [
        embedded_text(make_chunk(chunk.position, tuple(chunk.heading_path), chunk.text, chunk.page))
        for chunk in chunks
    ]
    embedded = embed_passages(model, texts, deadline_seconds=STEP_SECONDS)
    vectors = [
        ChunkVector(
            workspace_id=chunk.workspace_id,
            knowledge_base_id=chunk.knowledge_base_id,
            generation_id=chunk.generation_id,
            chunk=chunk,
            embedding_model=model,
            embedding=list(vector),
        )
        for chunk, vector in zip(chunks, embedded.vectors, strict=True)
    ]
    return EmbeddedChunks(vectors, embedded.input_tokens)
