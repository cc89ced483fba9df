"""What the owner of a source is told at the end of a crawl."""

from collections.abc import Iterable

from django.db.models import Count, Q

from apps.knowledge.errors import IndexingFailed
from apps.knowledge.fetching.crawling.outcomes import CrawlEnded
from apps.knowledge.fetching.urls import readable
from apps.knowledge.models import Document, DocumentStatus, Generation, Source, SourceType


def note_of(source: Source, generation: Generation, ended: CrawlEnded) -> str:
    """A sentence about the pages; "" if there is nothing to say.

    Raises IndexingFailed if no page could be read. Pages that are kept from an earlier time do not
    count: the live generation has them, too.
    """
    documents = Document.objects.filter(workspace_id=source.workspace_id, generation=generation)
    is_ready, is_kept = Q(status=DocumentStatus.READY), ~Q(reason="")
    counts = documents.aggregate(
        read=Count("pk", filter=is_ready & ~is_kept),
        kept=Count("pk", filter=is_ready & is_kept),
        failed=Count("pk", filter=Q(status=DocumentStatus.FAILED)),
        skipped=Count("pk", filter=Q(status=DocumentStatus.SKIPPED)),
    )
    if not counts["read"]:
        first = documents.exclude(reason="").order_by("position").first()
        raise IndexingFailed(_failure(source, first, ended))
    if source.type == SourceType.PAGE:
        return ""
    parts = _parts(counts["failed"], counts["kept"], counts["skipped"])
    return f"{ended.note} {parts}".strip()[:500]


def _failure(source: Source, first: Document | None, ended: CrawlEnded) -> str:
    if first is None:
        return ended.note or "No page could be read."
    if source.type == SourceType.PAGE:
        return first.reason
    return f"No page could be read. {readable(first.url)}: {first.reason}"


def _parts(failed: int, kept: int, skipped: int) -> str:
    parts = [
        _count(failed, "page could not be read", "pages could not be read"),
        _count(
            kept,
            "page did not answer and is kept as it was",
            "pages did not answer and are kept as they were",
        ),
        _count(skipped, "address was left out", "addresses were left out"),
    ]
    return _sentence(part for part in parts if part)


def _count(count: int, one: str, many: str) -> str:
    if not count:
        return ""
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def _sentence(parts: Iterable[str]) -> str:
    text = ", ".join(parts)
    return f"{text}." if text else ""
