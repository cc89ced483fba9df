"""Give chunks the vectors that they lack."""

from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from apps.chatbots.models import EmbeddingModel
from apps.knowledge.chunking.split import embedded_text, make_chunk
from apps.knowledge.embedding import embed_passages
from apps.knowledge.models import Chunk, ChunkVector, Generation, Source
from apps.knowledge.pipeline.claiming import lock_claimed

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

    Raises ClaimLost, and ProviderError if the model does not answer.
    """
    chunks = chunks_without_vector(generation, model.id)[:CHUNKS_PER_STEP]
    if not chunks:
        return 0
    vectors = embed_chunks(model, chunks)
    with transaction.atomic():
        lock_claimed(source)
        ChunkVector.objects.bulk_create(vectors, ignore_conflicts=True)
    return len(chunks)


def chunks_without_vector(generation: Generation, embedding_model_id: str) -> "list[Chunk]":
    """The next of the generation's chunks that have no vector of the model."""
    vectors = ChunkVector.objects.filter(
        chunk=OuterRef("pk"), embedding_model_id=embedding_model_id
    )
    chunks = Chunk.objects.filter(workspace_id=generation.workspace_id, generation=generation)
    return list(chunks.filter(~Exists(vectors)).defer("words").order_by("id")[:CHUNKS_PER_STEP])


def embed_chunks(model: EmbeddingModel, chunks: Sequence[Chunk]) -> list[ChunkVector]:
    """The vectors of chunks, not saved. Raises ProviderError."""
    texts = [
        embedded_text(make_chunk(chunk.position, tuple(chunk.heading_path), chunk.text, chunk.page))
        for chunk in chunks
    ]
    embeddings = embed_passages(model, texts, deadline_seconds=STEP_SECONDS)
    return [
        ChunkVector(
            workspace_id=chunk.workspace_id,
            knowledge_base_id=chunk.knowledge_base_id,
            generation_id=chunk.generation_id,
            chunk=chunk,
            embedding_model=model,
            embedding=list(vector),
        )
        for chunk, vector in zip(chunks, embeddings.vectors, strict=True)
    ]
