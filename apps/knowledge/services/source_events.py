"""Webhook events of sources."""

from apps.knowledge.models import Source
from apps.webhooks.models import EventType
from apps.webhooks.services import emit


def emit_source_event(event: EventType, source: Source) -> None:
    """Emit that a source is ready or has failed. Call it in the transaction that changes it."""
    stored = Source.objects.defer("text").get(workspace_id=source.workspace_id, id=source.id)
    emit(
        workspace_id=stored.workspace_id,
        event=event,
        data={
            "sourceId": stored.id,
            "knowledgeBaseId": stored.knowledge_base_id,
            "type": stored.type,
            "title": stored.title,
            "url": stored.url or None,
            "status": stored.status,
            "reason": stored.status_reason or None,
            "chunks": stored.chunks,
        },
    )
