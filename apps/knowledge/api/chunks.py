"""REST endpoints of chunks."""

from django.http import HttpRequest

from apps.api_kit.authentication import get_caller
from apps.api_kit.schemas import PageLimit, SuccessSchema
from apps.knowledge import queries
from apps.knowledge.api.access import READ, PageOffset, find_source, new_router
from apps.knowledge.schemas.chunks import ChunkListSchema, ChunkSchema

router = new_router()


@router.get("/sources/{source_id}/chunks", auth=READ, response=SuccessSchema[ChunkListSchema])
def list_chunks(
    request: HttpRequest,
    source_id: str,
    limit: PageLimit = 50,
    offset: PageOffset = 0,
) -> SuccessSchema[ChunkListSchema]:
    """The passages of a source that searches find, in their order."""
    source = find_source(request, source_id)
    chunks = queries.live_chunks(source)[offset : offset + limit]
    rows = [ChunkSchema.from_chunk(chunk, source.id) for chunk in chunks]
    return SuccessSchema(data=ChunkListSchema(chunks=rows, total=source.chunks))


@router.get("/chunks/{chunk_id}", auth=READ, response=SuccessSchema[ChunkSchema])
def get_chunk(request: HttpRequest, chunk_id: str) -> SuccessSchema[ChunkSchema]:
    """One passage, while searches find it: after its source was indexed again it has another id."""
    chunk = queries.find_chunk(get_caller(request).workspace_id, chunk_id)
    return SuccessSchema(data=ChunkSchema.from_chunk(chunk, chunk.generation.source_id))
