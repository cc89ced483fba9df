"""Request and response schemas of knowledge bases, their sources and chunks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field

from apps.api_kit.schemas import (
    ACCEPT_WHOLE_FLOAT,
    Id,
    RequestSchema,
    ResponseSchema,
    StorableText,
    single_line_field,
)
from apps.core.text import NOT_BLANK_PATTERN, single_line
from apps.knowledge.models import Chunk, KnowledgeBase, Source
from apps.knowledge.search.results import Passage
from apps.knowledge.services.sources import MAX_QUESTION_LENGTH, MAX_QUESTIONS, MAX_TEXT_LENGTH

MAX_SEARCH_LENGTH = 2000


def _require_words(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be only white space.")
    return text


WrittenText = Annotated[
    StorableText,
    AfterValidator(_require_words),
    Field(json_schema_extra={"pattern": NOT_BLANK_PATTERN}),
]
BaseName = Annotated[str, AfterValidator(single_line(120)), single_line_field(120)]
Title = Annotated[str, AfterValidator(single_line(300)), single_line_field(300)]
Text = Annotated[WrittenText, Field(min_length=1, max_length=MAX_TEXT_LENGTH)]
Question = Annotated[WrittenText, Field(min_length=1, max_length=MAX_QUESTION_LENGTH)]
Questions = Annotated[list[Question], Field(min_length=1, max_length=MAX_QUESTIONS)]


class CreateKnowledgeBaseSchema(RequestSchema):
    """A knowledge base to create. `embeddingModelId`: by default the catalogue's default."""

    name: BaseName
    embedding_model_id: Id | None = None


class UpdateKnowledgeBaseSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged; null is not accepted.

    With another embedding model all chunks are embedded again in the background; searches use the
    old vectors until all new ones are there.
    """

    name: BaseName = Field(default_factory=str)
    embedding_model_id: Id = Field(default_factory=str)


class EmbeddingModelSchema(ResponseSchema):
    """An embedding model that a knowledge base can use, and its price."""

    id: str
    name: str
    description: str
    dimensions: int
    credits_per_1k_tokens: int = Field(alias="creditsPer1kTokens")
    is_default: bool


class EmbeddingModelListSchema(ResponseSchema):
    embedding_models: list[EmbeddingModelSchema]


class KnowledgeBaseSchema(ResponseSchema):
    """A knowledge base. `nextEmbeddingModel` is not null while the model is being changed."""

    id: str
    name: str
    embedding_model: str
    next_embedding_model: str | None
    sources: int
    chunks: int
    created_at: datetime

    @classmethod
    def from_base(cls, base: KnowledgeBase) -> Self:
        """Return the schema of a base with its counts (`queries.with_counts`)."""
        following = base.next_embedding_model
        counts: Mapping[str, int] = vars(base)
        return cls.from_row(
            base,
            embedding_model=base.embedding_model.name,
            next_embedding_model=following.name if following else None,
            sources=counts["source_count"],
            chunks=counts["chunk_count"],
        )


class KnowledgeBaseListSchema(ResponseSchema):
    knowledge_bases: list[KnowledgeBaseSchema]
    next_cursor: str | None


class TextSourceSchema(RequestSchema):
    """A pasted text, as Markdown."""

    type: Literal["text"]
    title: Title
    text: Text


class QuestionSourceSchema(RequestSchema):
    """An answer to one or more questions, as Markdown."""

    type: Literal["qna"]
    questions: Questions
    answer: Text


CreateSource = Annotated[TextSourceSchema | QuestionSourceSchema, Discriminator("type")]


class ProgressSchema(ResponseSchema):
    """How far the present step is. `total` is null until it is known."""

    done: int
    total: int | None


class SourceSchema(ResponseSchema):
    """A source. `chunks`, `tokens` and `bytes` are those that searches find.

    `statusReason` says why it failed. A source that failed is found as it was indexed last.
    """

    id: str
    knowledge_base_id: str
    type: Literal["file", "page", "sitemap", "crawl", "text", "qna"]
    title: str
    url: str | None
    status: Literal["pending", "fetching", "parsing", "embedding", "ready", "failed"]
    status_reason: str | None
    progress: ProgressSchema
    chunks: int
    tokens: int
    bytes: int
    refreshed_at: datetime | None
    refresh_every: Literal["never", "daily", "weekly"]
    created_at: datetime

    @classmethod
    def from_source(cls, source: Source) -> Self:
        return cls.from_row(
            source,
            url=source.url or None,
            status_reason=source.status_reason or None,
            progress=ProgressSchema(done=source.progress_done, total=source.progress_total),
        )


class SourceListSchema(ResponseSchema):
    sources: list[SourceSchema]
    next_cursor: str | None


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


class SearchSchema(RequestSchema):
    """A question to search a knowledge base for."""

    query: Annotated[WrittenText, Field(min_length=1, max_length=MAX_SEARCH_LENGTH)]
    limit: Annotated[int, Field(ge=1, le=20), ACCEPT_WHOLE_FLOAT] = 5


class SearchResultSchema(ResponseSchema):
    """A passage that was found. `score` orders the results of one search, and means nothing else.

    `matchedBy`: by its words, by its meaning (`vectors`), or by both.
    """

    source_id: str
    chunk_id: str
    title: str
    url: str | None
    page: int | None
    text: str
    score: float
    matched_by: list[Literal["words", "vectors"]]

    @classmethod
    def from_passage(cls, passage: Passage) -> Self:
        values: dict[str, Any] = {
            "chunk_id": passage.chunk_ids[0],
            "url": passage.url or None,
            "score": round(passage.score, 6),
            "matched_by": list(passage.matched_by),
        }
        return cls.from_row(passage, **values)


class SearchResultListSchema(ResponseSchema):
    results: list[SearchResultSchema]
