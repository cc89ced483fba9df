"""How much knowledge a workspace has, and how much it may have."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Sum

from apps.credits.models import Plan
from apps.credits.queries import plan_of
from apps.knowledge.models import Source, SourceFile


@dataclass(frozen=True, slots=True)
class KnowledgeUsage:
    """A workspace's sources, the bytes of its uploaded files, and the chunks that are found."""

    sources: int
    file_bytes: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Limit:
    """How much there may be at most. `plan`: the name of the plan that says so, or "" where the
    server's setting does."""

    value: int
    plan: str

    @property
    def holder(self) -> str:
        """Who has at most so much, to begin a sentence."""
        return f"A workspace on the plan {self.plan}" if self.plan else "A workspace"


@dataclass(frozen=True, slots=True)
class KnowledgeLimits:
    """The limits of what `KnowledgeUsage` counts."""

    sources: Limit
    file_bytes: Limit
    chunks: Limit


def knowledge_usage(workspace_id: str) -> KnowledgeUsage:
    """Count what a workspace has. Files of deleted sources count until they are erased."""
    sources = Source.objects.filter(workspace_id=workspace_id, deleted_at=None)
    totals = sources.aggregate(sources=Count("pk"), chunks=Sum("chunks"))
    return KnowledgeUsage(
        sources=totals["sources"],
        file_bytes=stored_file_bytes(workspace_id),
        chunks=totals["chunks"] or 0,
    )


def stored_file_bytes(workspace_id: str) -> int:
    files = SourceFile.objects.filter(workspace_id=workspace_id)
    return int(files.aggregate(total=Sum("size"))["total"] or 0)


def knowledge_limits(workspace_id: str) -> KnowledgeLimits:
    """The limits of the workspace's plan, or the server's where the plan has none."""
    plan = plan_of(workspace_id) or Plan()

    def limit(of_plan: int | None, of_server: int) -> Limit:
        return Limit(of_server, "") if of_plan is None else Limit(of_plan, plan.name)

    return KnowledgeLimits(
        sources=limit(plan.max_sources, settings.MAX_SOURCES),
        file_bytes=limit(plan.max_knowledge_bytes, settings.MAX_KNOWLEDGE_BYTES),
        chunks=limit(plan.max_chunks, settings.MAX_CHUNKS),
    )
