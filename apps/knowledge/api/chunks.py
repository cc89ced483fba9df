"""REST endpoints of chunks."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query

from apps.api_kit.schemas import PageLimit, SuccessSchema
from apps.knowledge import queries
from apps.knowledge.api.access import READ, find_source, new_router
from apps.knowledge.schemas.chunks import ChunkListSchema, ChunkSchema

router = new_router()

ChunkOffset = Annotated[int, Query(ge=0, le=1_000_000, description="How many chunks to leave out.")]


@router.get("/sources/{source_id}/chunks", auth=READ, response=SuccessSchema[ChunkListSchema])
def list_chunks(
    request: HttpRequest,
    source_id: str,
    limit: PageLimit = 50,
    offset: ChunkOffset = 0,
) -> SuccessSchema[ChunkListSchema]:
    """The passages of a source that searches find, in their order."""
    source = find_source(request, source_id)
    chunks = queries.live_chunks(source)[offset : offset + limit]
    rows = [ChunkSchema.from_chunk(chunk, source.id) for chunk in chunks]
    return SuccessSchema(data=ChunkListSchema(chunks=rows, total=source.chunks))
