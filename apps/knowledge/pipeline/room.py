"""The limit of a workspace's chunks, by its plan or the server."""

from collections.abc import Sequence

from django.db import connection
from django.db.models import Count, Sum

from apps.knowledge.errors import IndexingFailed
from apps.knowledge.models import Chunk, Source
from apps.knowledge.usage import knowledge_limits


def require_room(source: Source, *, chunks: int, copied_from: Sequence[str] = ()) -> None:
    """Raise IndexingFailed if a workspace has no room for so many more chunks of a source, and
    those of the documents with the ids `copied_from`.

    Workers of a workspace wait for each other here until the transaction ends, so that two sources
    never take the same room. Each source counts with what is live or what is being built of it,
    whichever is more, so that there is room for either. The caller has locked the source.
    """
    if copied_from:
        copied = Chunk.objects.filter(workspace_id=source.workspace_id, document__in=copied_from)
        chunks += copied.count()
    if not chunks:
        return
    with connection.cursor() as cursor:
        key = f"chunks {source.workspace_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))", [key])
    sources = Source.objects.filter(workspace_id=source.workspace_id, deleted_at=None)
    unfinished = Chunk.objects.filter(
        workspace_id=source.workspace_id, generation__finished_at=None
    ).order_by()
    built = dict(unfinished.values_list("generation__source_id").annotate(Count("pk")))
    built[source.id] = built.get(source.id, 0) + chunks
    live = dict(sources.filter(id__in=built).values_list("id", "chunks"))
    total = sources.aggregate(total=Sum("chunks"))["total"] or 0
    total += sum(max(built[source_id] - found, 0) for source_id, found in live.items())
    limit = knowledge_limits(source.workspace_id).chunks
    if total > limit.value and built[source.id] > live.get(source.id, 0):
        raise IndexingFailed(
            f"{limit.holder} has at most {limit.value:,} passages, and would have more with this "
            "source. Delete others first."
        )
