"""Schemas of chunks."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field

from apps.api_kit.schemas import RequestSchema, ResponseSchema
from apps.knowledge.models import Chunk
from apps.knowledge.schemas.fields import WrittenText
from apps.knowledge.services.chunks import MAX_CHUNK_LENGTH


class ChunkSchema(ResponseSchema):
    """A passage of a source. `headingPath`: the headings above it, from the outermost.

    `originalText`: the document's own, if the text was edited.
    """

    id: str
    source_id: str
    title: str
    url: str | None
    page: int | None
    heading_path: list[str]
    text: str
    original_text: str | None
    tokens: int
    is_enabled: bool
    is_edited: bool

    @classmethod
    def from_chunk(cls, chunk: Chunk, source_id: str, originals: Mapping[str, str]) -> Self:
        """Return the schema of a chunk with its document. `originals`: texts by digest."""
        return cls.from_row(
            chunk,
            source_id=source_id,
            title=chunk.document.title,
            url=chunk.document.url or None,
            original_text=originals.get(chunk.digest) if chunk.is_edited else None,
        )


class ChunkListSchema(ResponseSchema):
    """Chunks in the order of the source. `total`: of the source."""

    chunks: list[ChunkSchema]
    total: int


class UpdateChunkSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged. `text`: null for the document's own.

    Searches leave out a passage that is not enabled.
    """

    text: Annotated[WrittenText, Field(min_length=1, max_length=MAX_CHUNK_LENGTH)] | None = None
    is_enabled: bool = True
