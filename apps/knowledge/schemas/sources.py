"""Schemas of sources."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field

from apps.api_kit.schemas import RequestSchema, ResponseSchema
from apps.knowledge.fetching.crawling.preview import Preview
from apps.knowledge.models import Document, Source, SourceType
from apps.knowledge.schemas.fields import (
    FormFile,
    MaxDepth,
    MaxPages,
    PathPatterns,
    Questions,
    RefreshEvery,
    Text,
    Title,
    Url,
)


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


class FileSourceSchema(RequestSchema):
    """A form with a file, whose type is found by its content. `title`: by default its name."""

    type: Literal["file"] = "file"
    file: FormFile
    title: Title | None = None


class PageSourceSchema(RequestSchema):
    """A web page."""

    type: Literal["page"]
    url: Url
    title: Title | None = None
    refresh_every: RefreshEvery = "never"


class SitemapSourceSchema(RequestSchema):
    """The pages that a sitemap lists. `include`, `exclude`: patterns of paths; `exclude` wins."""

    type: Literal["sitemap"]
    url: Url
    title: Title | None = None
    max_pages: MaxPages | None = None
    include: PathPatterns | None = None
    exclude: PathPatterns | None = None
    refresh_every: RefreshEvery = "never"


class CrawlSourceSchema(SitemapSourceSchema):
    """The pages of a website, from `url` on. `maxDepth`: in how many links from there."""

    type: Literal["crawl"]  # type: ignore[assignment]
    max_depth: MaxDepth | None = None


WebSourceSchema = PageSourceSchema | SitemapSourceSchema | CrawlSourceSchema
CreateSource = Annotated[
    TextSourceSchema | QuestionSourceSchema | WebSourceSchema, Discriminator("type")
]


class UpdateSourceSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged; null is only accepted for rules,
    which are the usual ones then.

    A text has `text`, a Q&A pair `questions` and `answer`, web sources have `url`, `refreshEvery`
    and the rules of their type. With another content or address, a source is indexed again.
    """

    title: Title = Field(default_factory=str)
    text: Text = Field(default_factory=str)
    questions: Questions = Field(default_factory=list)
    answer: Text = Field(default_factory=str)
    url: Url = Field(default_factory=str)
    max_pages: MaxPages | None = None
    max_depth: MaxDepth | None = None
    include: PathPatterns | None = None
    exclude: PathPatterns | None = None
    refresh_every: RefreshEvery = "never"


class PreviewSitemapSchema(RequestSchema):
    """A sitemap that is not a source yet."""

    type: Literal["sitemap"]
    url: Url
    max_pages: MaxPages | None = None
    include: PathPatterns | None = None
    exclude: PathPatterns | None = None


class PreviewWebsiteSchema(PreviewSitemapSchema):
    """A website that is not a source yet."""

    type: Literal["crawl"]  # type: ignore[assignment]
    max_depth: MaxDepth | None = None


PreviewCrawl = Annotated[PreviewSitemapSchema | PreviewWebsiteSchema, Discriminator("type")]


class LeftOutPageSchema(ResponseSchema):
    url: str
    reason: str


class CrawlPreviewSchema(ResponseSchema):
    """The first addresses that would be visited, in order, and those that would not.

    `found`: how many addresses are known by now; `isPartial`: there may be more. `problem`: why
    there are none, or what to know about the site.
    """

    urls: list[str]
    left_out: list[LeftOutPageSchema]
    found: int
    is_partial: bool
    problem: str | None

    @classmethod
    def from_preview(cls, preview: Preview) -> Self:
        return cls(
            urls=list(preview.urls),
            left_out=[
                LeftOutPageSchema(url=each.url, reason=each.reason) for each in preview.left_out
            ],
            found=preview.found,
            is_partial=preview.is_partial,
            problem=preview.problem or None,
        )


class ProgressSchema(ResponseSchema):
    """How far the present step is. `total` is null until it is known."""

    done: int
    total: int | None


class SourceSchema(ResponseSchema):
    """A source. `chunks`, `tokens` and `bytes` are those that searches find.

    `statusReason` says why it failed, what it waits for, or which pages are missing. A source that
    failed is found as it was indexed last. A rule that is null is the usual one.
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
    refresh_every: RefreshEvery
    max_pages: int | None
    max_depth: int | None
    include: list[str]
    exclude: list[str]
    created_at: datetime

    @classmethod
    def from_source(cls, source: Source, **values: Any) -> Self:
        return cls.from_row(
            source,
            max_pages=source.rules.get("max_pages"),
            max_depth=source.rules.get("max_depth"),
            include=source.rules.get("include", []),
            exclude=source.rules.get("exclude", []),
            url=source.url or None,
            status_reason=source.status_reason or None,
            progress=ProgressSchema(done=source.progress_done, total=source.progress_total),
            **values,
        )


class SourceDetailSchema(SourceSchema):
    """A source with what its owner wrote: null for other types."""

    text: str | None
    questions: list[str] | None
    answer: str | None

    @classmethod
    def from_source(cls, source: Source, **values: Any) -> Self:
        is_text, is_qna = source.type == SourceType.TEXT, source.type == SourceType.QNA
        return super().from_source(
            source,
            text=source.text if is_text else None,
            questions=source.questions if is_qna else None,
            answer=source.text if is_qna else None,
            **values,
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
