"""REST endpoints of chunks."""

from django.http import HttpRequest

from apps.api_kit.authentication import get_caller
from apps.api_kit.openapi import raises
from apps.api_kit.schemas import PageLimit, SuccessSchema
from apps.audit.services import caller_actor
from apps.credits.errors import InsufficientCredits
from apps.knowledge import queries
from apps.knowledge.api.access import MANAGE, READ, PageOffset, find_source, new_router
from apps.knowledge.errors import EmbeddingUnavailable
from apps.knowledge.models import Chunk
from apps.knowledge.schemas.chunks import ChunkListSchema, ChunkSchema, UpdateChunkSchema
from apps.knowledge.services import chunks as services

router = new_router()


@router.get("/sources/{source_id}/chunks", auth=READ, response=SuccessSchema[ChunkListSchema])
def list_chunks(
    request: HttpRequest,
    source_id: str,
    limit: PageLimit = 50,
    offset: PageOffset = 0,
) -> SuccessSchema[ChunkListSchema]:
    """The passages of a source that searches find, in their order, and those switched off."""
    source = find_source(request, source_id)
    chunks = list(queries.live_chunks(source)[offset : offset + limit])
    originals = services.original_texts(source, chunks)
    rows = [ChunkSchema.from_chunk(chunk, source.id, originals) for chunk in chunks]
    return SuccessSchema(data=ChunkListSchema(chunks=rows, total=source.chunks))


@router.get("/chunks/{chunk_id}", auth=READ, response=SuccessSchema[ChunkSchema])
def get_chunk(request: HttpRequest, chunk_id: str) -> SuccessSchema[ChunkSchema]:
    """One passage, while searches find it: after its source was indexed again it has another id."""
    return SuccessSchema(data=_schema(_find(request, chunk_id)))


@router.patch(
    "/chunks/{chunk_id}",
    auth=MANAGE,
    response=SuccessSchema[ChunkSchema],
    openapi_extra=raises(EmbeddingUnavailable, InsufficientCredits),
)
def update_chunk(
    request: HttpRequest, chunk_id: str, body: UpdateChunkSchema
) -> SuccessSchema[ChunkSchema]:
    """Edit a passage or switch it off, wherever its source has it, also after it is indexed again.

    A new text is embedded before the response. It may have at most 4,000 characters.
    """
    chunk = services.update_chunk(
        chunk=_find(request, chunk_id),
        changes=body.model_dump(exclude_unset=True),
        actor=caller_actor(request),
    )
    return SuccessSchema(data=_schema(chunk))


def _find(request: HttpRequest, chunk_id: str) -> Chunk:
    return queries.find_chunk(get_caller(request).workspace_id, chunk_id)


def _schema(chunk: Chunk) -> ChunkSchema:
    source = chunk.generation.source
    return ChunkSchema.from_chunk(chunk, source.id, services.original_texts(source, [chunk]))
