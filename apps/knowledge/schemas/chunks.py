"""Schemas of chunks."""

from typing import Self

from apps.api_kit.schemas import ResponseSchema
from apps.knowledge.models import Chunk


class ChunkSchema(ResponseSchema):
    """A passage of a source. `headingPath`: the headings above it, from the outermost."""

    id: str
    source_id: str
    title: str
    url: str | None
    page: int | None
    heading_path: list[str]
    text: str
    tokens: int
    is_enabled: bool
    is_edited: bool

    @classmethod
    def from_chunk(cls, chunk: Chunk, source_id: str) -> Self:
        """Return the schema of a chunk with its document."""
        return cls.from_row(
            chunk,
            source_id=source_id,
            title=chunk.document.title,
            url=chunk.document.url or None,
        )


class ChunkListSchema(ResponseSchema):
    """Chunks in the order of the source. `total`: of the source."""

    chunks: list[ChunkSchema]
    total: int
