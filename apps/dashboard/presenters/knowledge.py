"""Rows of the knowledge pages: bases with their figures, sources with their status in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Q, Sum

from apps.chatbots.models import Chatbot
from apps.knowledge.models import (
    ChatbotKnowledgeBase,
    ChunkVector,
    KnowledgeBase,
    Source,
    SourceStatus,
)
from apps.knowledge.models.sources import INDEXING_STATUSES
from apps.knowledge.queries import knowledge_bases_for

STATUS_BADGES: Mapping[str, tuple[str, str]] = {
    SourceStatus.PENDING: ("Waiting", "accent"),
    SourceStatus.FETCHING: ("Fetching", "accent"),
    SourceStatus.PARSING: ("Reading", "accent"),
    SourceStatus.EMBEDDING: ("Indexing", "accent"),
    SourceStatus.READY: ("Ready", "good"),
    SourceStatus.FAILED: ("Failed", "bad"),
}
"""The text and the tone of a status' badge."""


@dataclass(frozen=True, slots=True)
class BaseFigures:
    """The sources of a knowledge base in numbers. `tokens` and `chunks` are those that searches
    find; `refreshed_at` is when a source was indexed last."""

    sources: int = 0
    indexing: int = 0
    failed: int = 0
    chunks: int = 0
    tokens: int = 0
    refreshed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A knowledge base in the list, with the chatbots that answer from it."""

    base: KnowledgeBase
    figures: BaseFigures
    chatbots: list[Chatbot] = field(default_factory=list)


def base_rows(workspace_id: str) -> list[BaseRow]:
    """The workspace's knowledge bases, newest first, in three queries."""
    bases = list(knowledge_bases_for(workspace_id))
    figures = _figures(workspace_id, bases)
    chatbots = chatbots_by_base(workspace_id)
    return [
        BaseRow(base, figures.get(base.id, BaseFigures()), chatbots.get(base.id, []))
        for base in bases
    ]


def base_figures(base: KnowledgeBase) -> BaseFigures:
    return _figures(base.workspace_id, [base]).get(base.id, BaseFigures())


def _figures(workspace_id: str, bases: Iterable[KnowledgeBase]) -> dict[str, BaseFigures]:
    sources = Source.objects.filter(
        workspace_id=workspace_id, knowledge_base__in=list(bases), deleted_at=None
    )
    rows = sources.order_by().values("knowledge_base_id")
    totals = rows.annotate(
        count=Count("id"),
        indexing=Count("id", filter=Q(status__in=INDEXING_STATUSES)),
        failed=Count("id", filter=Q(status=SourceStatus.FAILED)),
        all_chunks=Sum("chunks"),
        all_tokens=Sum("tokens"),
        last=Max("refreshed_at"),
    )
    return {
        row["knowledge_base_id"]: BaseFigures(
            row["count"],
            row["indexing"],
            row["failed"],
            row["all_chunks"],
            row["all_tokens"],
            row["last"],
        )
        for row in totals
    }


def chatbots_by_base(workspace_id: str) -> dict[str, list[Chatbot]]:
    """The chatbots that answer from each knowledge base, by name."""
    attachments = ChatbotKnowledgeBase.objects.filter(
        workspace_id=workspace_id, chatbot__workspace_id=workspace_id, chatbot__deleted_at=None
    )
    found: dict[str, list[Chatbot]] = defaultdict(list)
    for each in attachments.select_related("chatbot").order_by("chatbot__name", "chatbot_id"):
        found[each.knowledge_base_id].append(each.chatbot)
    return dict(found)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """How far a change of the embedding model is: chunks that have a vector of the new one."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 if not self.total else min(100, 100 * self.done // self.total)


def model_change(base: KnowledgeBase, *, chunks: int) -> ModelChange | None:
    """The change that is going on. None if there is none."""
    if base.next_embedding_model_id is None:
        return None
    vectors = ChunkVector.objects.filter(
        workspace_id=base.workspace_id,
        knowledge_base=base,
        embedding_model_id=base.next_embedding_model_id,
    )
    return ModelChange(min(vectors.count(), chunks), chunks)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source with its status in words."""

    source: Source

    @property
    def badge(self) -> tuple[str, str]:
        return STATUS_BADGES[self.source.status]

    @property
    def is_indexing(self) -> bool:
        return self.source.status in INDEXING_STATUSES

    @property
    def is_failed(self) -> bool:
        return self.source.status == SourceStatus.FAILED

    @property
    def is_found(self) -> bool:
        """Whether searches find what was indexed of it."""
        return self.source.live_generation_id is not None

    @property
    def has_progress(self) -> bool:
        """Whether it is known how much there is to do."""
        is_counted = bool(self.source.progress_total)
        return self.is_indexing and self.source.status != SourceStatus.PENDING and is_counted
