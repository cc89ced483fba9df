"""Schemas of sources."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Discriminator

from apps.api_kit.schemas import RequestSchema, ResponseSchema
from apps.knowledge.models import Document, Source
from apps.knowledge.schemas.fields import Questions, Text, Title


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


class DocumentSchema(ResponseSchema):
    """A file, text or page of a source. `reason` says why one without passages has none."""

    id: str
    title: str
    url: str | None
    status: Literal["ready", "skipped", "failed"]
    reason: str | None
    bytes: int
    created_at: datetime

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls.from_row(document, url=document.url or None, reason=document.reason or None)


class DocumentListSchema(ResponseSchema):
    """Documents in the order of the source. `total`: of those that were asked for."""

    documents: list[DocumentSchema]
    total: int
